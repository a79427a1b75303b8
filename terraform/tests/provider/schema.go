package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The shapes of `terraform providers schema -json`, as far as the files hold them.
type (
	document struct {
		Providers map[string]providerJSON `json:"provider_schemas"`
	}
	providerJSON struct {
		Provider    schemaJSON            `json:"provider"`
		Resources   map[string]schemaJSON `json:"resource_schemas"`
		DataSources map[string]schemaJSON `json:"data_source_schemas"`
	}
	schemaJSON struct {
		Version int64     `json:"version"`
		Block   blockJSON `json:"block"`
	}
	blockJSON struct {
		Attributes map[string]attributeJSON   `json:"attributes"`
		Blocks     map[string]nestedBlockJSON `json:"block_types"`
	}
	attributeJSON struct {
		Type      json.RawMessage `json:"type"`
		Required  bool            `json:"required"`
		Optional  bool            `json:"optional"`
		Computed  bool            `json:"computed"`
		Sensitive bool            `json:"sensitive"`
		WriteOnly bool            `json:"write_only"`
	}
	nestedBlockJSON struct {
		Nesting  string    `json:"nesting_mode"`
		Block    blockJSON `json:"block"`
		MinItems int64     `json:"min_items"`
		MaxItems int64     `json:"max_items"`
	}
)

// schemas of one provider, ready for the wire.
type schemas struct {
	provider    *tfprotov6.Schema
	resources   map[string]*tfprotov6.Schema
	dataSources map[string]*tfprotov6.Schema
}

// load reads one provider's schemas. Fails on a file that holds no or more than one provider, or a type it cannot read.
func load(path string) (*schemas, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Providers) != 1 {
		return nil, fmt.Errorf("%s: %d providers, expected 1", path, len(doc.Providers))
	}
	out := &schemas{resources: map[string]*tfprotov6.Schema{}, dataSources: map[string]*tfprotov6.Schema{}}
	for _, p := range doc.Providers {
		if out.provider, err = convert(p.Provider); err != nil {
			return nil, fmt.Errorf("%s: provider: %w", path, err)
		}
		for name, s := range p.Resources {
			if out.resources[name], err = convert(s); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, name, err)
			}
		}
		for name, s := range p.DataSources {
			if out.dataSources[name], err = convert(s); err != nil {
				return nil, fmt.Errorf("%s: data %s: %w", path, name, err)
			}
		}
	}
	return out, nil
}

func convert(s schemaJSON) (*tfprotov6.Schema, error) {
	block, err := convertBlock(s.Block)
	if err != nil {
		return nil, err
	}
	return &tfprotov6.Schema{Version: s.Version, Block: block}, nil
}

func convertBlock(b blockJSON) (*tfprotov6.SchemaBlock, error) {
	out := &tfprotov6.SchemaBlock{}
	for name, a := range b.Attributes {
		kind, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // the one reader of Terraform's type syntax
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: kind, Required: a.Required, Optional: a.Optional,
			Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		})
	}
	nesting := map[string]tfprotov6.SchemaNestedBlockNestingMode{
		"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
		"list":   tfprotov6.SchemaNestedBlockNestingModeList,
		"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	}
	for name, n := range b.Blocks {
		mode, known := nesting[n.Nesting]
		if !known {
			return nil, fmt.Errorf("block %s: nesting %q is not single, list or set", name, n.Nesting)
		}
		inner, err := convertBlock(n.Block)
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", name, err)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: n.MinItems, MaxItems: n.MaxItems,
		})
	}
	return out, nil
}
