// Command provider stands in for the aws, google and azurerm providers where no registry can be reached.
//
// It knows a provider only by its published schema (tests/schemas/NAME.json) and keeps nothing: validate checks names and
// types, plan marks what the cloud would compute as unknown, apply echoes the plan into the state with made-up values in place
// of the unknown ones, read returns what the state holds. That is enough for validate, for plans whose JSON is checked, and
// for a second plan that must be empty. It cannot know enum values, name patterns, conflicts between arguments or defaults.
//
// FARQUORUM_ATTACH_DIR: serve until interrupted or killed, and write there how to attach (a file called as the provider), in place of
// one process per command.
//
// The schema's path comes from FARQUORUM_SCHEMA_DIR, the provider's name from the name of the binary itself.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "schema-only provider:", err)
		os.Exit(1)
	}
}

func run() error {
	name := filepath.Base(os.Args[0])
	name = strings.TrimPrefix(name, "terraform-provider-")
	name, _, _ = strings.Cut(name, "_")
	dir := os.Getenv("FARQUORUM_SCHEMA_DIR")
	if dir == "" {
		return fmt.Errorf("FARQUORUM_SCHEMA_DIR is not set; run ci/terraform.sh, which sets it")
	}
	schemas, err := load(filepath.Join(dir, name+".json"))
	if err != nil {
		return err
	}
	// What the published schema was not asked for, written by hand from the provider's source.
	if extra := filepath.Join(dir, name+"-by-hand.json"); exists(extra) {
		more, err := load(extra)
		if err != nil {
			return err
		}
		maps.Copy(schemas.resources, more.resources)
	}
	address := "registry.terraform.io/hashicorp/" + name
	var options []tf6server.ServeOpt
	if attach := os.Getenv("FARQUORUM_ATTACH_DIR"); attach != "" {
		options = append(options, tf6server.WithManagedDebug(), tf6server.WithManagedDebugEnvFilePath(filepath.Join(attach, name)))
	}
	return tf6server.Serve(address, func() tfprotov6.ProviderServer { return &server{name: name, schemas: schemas} }, options...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
