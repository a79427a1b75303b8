package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// server answers what a plan and its apply need. Every call not written here ends in a panic of the nil interface, which
// Terraform reports as a crash of the provider: loud, and so better than a made-up answer.
type server struct {
	tfprotov6.ProviderServer
	name    string
	schemas *schemas
}

// replaces names, by type, the arguments whose change makes the real provider build the resource anew (ForceNew there).
// The schema does not say; these are the ones that a voter's life depends on.
var replaces = map[string][]*tftypes.AttributePath{
	"aws_instance": {tftypes.NewAttributePath().WithAttributeName("ami"), tftypes.NewAttributePath().WithAttributeName("private_ip")},
	"google_compute_instance": {tftypes.NewAttributePath().WithAttributeName("boot_disk").WithElementKeyInt(0).
		WithAttributeName("initialize_params").WithElementKeyInt(0).WithAttributeName("image")},
	"azurerm_linux_virtual_machine": {tftypes.NewAttributePath().WithAttributeName("source_image_id"),
		tftypes.NewAttributePath().WithAttributeName("admin_ssh_key")},
	// And an image, which is made of an object in a bucket.
	"aws_s3_bucket":           {tftypes.NewAttributePath().WithAttributeName("bucket")},
	"aws_s3_object":           {tftypes.NewAttributePath().WithAttributeName("bucket")},
	"aws_ebs_snapshot_import": {tftypes.NewAttributePath().WithAttributeName("disk_container")},
	"aws_ami":                 {tftypes.NewAttributePath().WithAttributeName("ebs_block_device")},
	"google_storage_bucket":   {tftypes.NewAttributePath().WithAttributeName("name")},
	"google_compute_image":    {tftypes.NewAttributePath().WithAttributeName("raw_disk")},
	"azurerm_storage_account": {tftypes.NewAttributePath().WithAttributeName("name")},
	"azurerm_storage_blob":    {tftypes.NewAttributePath().WithAttributeName("storage_container_id")},
	"azurerm_image":           {tftypes.NewAttributePath().WithAttributeName("os_disk")},
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	return nil, fmt.Errorf("the schema-only provider answers by its schema")
}

func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		Provider: s.schemas.provider, ResourceSchemas: s.schemas.resources, DataSourceSchemas: s.schemas.dataSources,
		// Terraform may remember the schema for as long as it runs.
		ServerCapabilities: &tfprotov6.ServerCapabilities{GetProviderSchemaOptional: true},
	}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (s *server) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (s *server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (s *server) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil // Terraform itself checks the names and types of the schema
}

func (s *server) UpgradeResourceState(_ context.Context, r *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := s.schemas.resources[r.TypeName].ValueType()
	state, err := r.RawState.Unmarshal(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: state: %w", r.TypeName, err)
	}
	wire, err := tfprotov6.NewDynamicValue(kind, state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &wire}, err
}

func (s *server) ReadResource(_ context.Context, r *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{NewState: r.CurrentState, Private: r.Private}, nil
}

func (s *server) PlanResourceChange(_ context.Context, r *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema := s.schemas.resources[r.TypeName]
	kind := schema.ValueType()
	proposed, err := r.ProposedNewState.Unmarshal(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: proposed state: %w", r.TypeName, err)
	}
	if proposed.IsNull() {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: r.ProposedNewState}, nil
	}
	prior, err := r.PriorState.Unmarshal(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: prior state: %w", r.TypeName, err)
	}
	if prior.IsNull() {
		if proposed, err = planned(schema.Block, proposed); err != nil {
			return nil, fmt.Errorf("%s: %w", r.TypeName, err)
		}
	}
	wire, err := tfprotov6.NewDynamicValue(kind, proposed)
	response := &tfprotov6.PlanResourceChangeResponse{PlannedState: &wire, PlannedPrivate: r.PriorPrivate}
	if !prior.IsNull() {
		response.RequiresReplace = replaces[r.TypeName]
	}
	return response, err
}

func (s *server) ApplyResourceChange(_ context.Context, r *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	kind := s.schemas.resources[r.TypeName].ValueType()
	state, err := r.PlannedState.Unmarshal(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: planned state: %w", r.TypeName, err)
	}
	if state, err = s.known(state); err != nil {
		return nil, fmt.Errorf("%s: %w", r.TypeName, err)
	}
	wire, err := tfprotov6.NewDynamicValue(kind, state)
	return &tfprotov6.ApplyResourceChangeResponse{NewState: &wire}, err
}
