package main

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// planned is the proposed state with every attribute unknown that the cloud computes and the configuration leaves out.
// The proposed state already holds the prior value of such an attribute, so only a new resource has any null left.
func planned(block *tfprotov6.SchemaBlock, proposed tftypes.Value) (tftypes.Value, error) {
	return tftypes.Transform(proposed, func(path *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		a := attributeAt(block, path)
		if a != nil && a.Computed && v.IsNull() {
			return tftypes.NewValue(v.Type(), tftypes.UnknownValue), nil
		}
		if a != nil && a.WriteOnly {
			return tftypes.NewValue(v.Type(), nil), nil
		}
		return v, nil
	})
}

// attributeAt finds the schema of the attribute that a path ends in; nil for a block, an element or inside an attribute.
func attributeAt(block *tfprotov6.SchemaBlock, path *tftypes.AttributePath) *tfprotov6.SchemaAttribute {
	steps := path.Steps()
	for i, step := range steps {
		name, isName := step.(tftypes.AttributeName)
		if !isName {
			continue // the element of a list or set of blocks
		}
		for _, a := range block.Attributes {
			if a.Name == string(name) {
				if i == len(steps)-1 {
					return a
				}
				return nil
			}
		}
		found := false
		for _, n := range block.BlockTypes {
			if n.TypeName == string(name) {
				block, found = n.Block, true
			}
		}
		if !found {
			return nil
		}
	}
	return nil
}

// made counts made-up values, so that two resources never get the same id or address.
var made atomic.Int64

// addressed counts addresses alone: all roots of a test together have fewer than there are in a range.
var addressed atomic.Int64

// addresses that the documentation ranges of RFC 5737 give to each cloud.
var addresses = map[string]string{"aws": "203.0.113", "google": "198.51.100", "azurerm": "192.0.2"}

// known puts a made-up value in place of every unknown one.
func (s *server) known(v tftypes.Value) (tftypes.Value, error) {
	return tftypes.Transform(v, func(path *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		if v.IsKnown() {
			return v, nil
		}
		return s.invent(last(path), v.Type()), nil
	})
}

func (s *server) invent(name string, kind tftypes.Type) tftypes.Value {
	n := made.Add(1)
	switch {
	case kind.Is(tftypes.String) && (name == "public_ip" || name == "address" || name == "ip_address"):
		return tftypes.NewValue(kind, fmt.Sprintf("%s.%d", addresses[s.name], 1+addressed.Add(1)%254))
	case kind.Is(tftypes.String):
		return tftypes.NewValue(kind, fmt.Sprintf("%s-%s-%d", s.name, strings.ReplaceAll(name, "_", "-"), n))
	case kind.Is(tftypes.Number):
		return tftypes.NewValue(kind, n)
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(kind, false)
	default:
		return tftypes.NewValue(kind, nil)
	}
}

func last(path *tftypes.AttributePath) string {
	steps := path.Steps()
	if len(steps) == 0 {
		return ""
	}
	name, _ := steps[len(steps)-1].(tftypes.AttributeName)
	return string(name)
}
