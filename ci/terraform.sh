#!/usr/bin/env bash
# Tests terraform/ without a registry and without an account. A provider that knows the published schemas only stands in for the
# real ones (terraform/tests/provider). Everything happens in a copy; the checkout is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
cache="${XDG_CACHE_HOME:-$HOME/.cache}/farquorum/terraform"
work=$(mktemp -d)
started=() # what runs beside this script: the providers, and half of the tests
trap 'kill "${started[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
out=$work/out # of the last command; each half has its own
export TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
# Short programs with small heaps: collecting less often saves a fifth of the processor's time.
export GOGC=400
export FARQUORUM_SCHEMA_DIR="$top/terraform/tests/schemas"
admin=192.0.2.77/32
# Planted where secrets lie on an operator's machine; none of it may reach a plan or a state.
marker=farquorum-planted-marker-6f1d
# All roots are tested in less, from the first command of Terraform on; a slow machine may set it higher.
seconds_max=${TERRAFORM_SECONDS_MAX:-120}
# TERRAFORM=tofu: OpenTofu in its place.
terraform=${TERRAFORM:-terraform}
export AWS_ACCESS_KEY_ID=$marker AWS_SECRET_ACCESS_KEY=$marker GOOGLE_CREDENTIALS=$marker ARM_CLIENT_SECRET=$marker

say() { printf '%s\n' "terraform: $*"; }
fail() { say "$*" >&2; exit 1; }
for tool in "$terraform" go python3; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; it is needed for make terraform-test"
done

# quiet NAME COMMAND...: runs it, shows its output only when it fails
quiet() {
  local name=$1; shift
  "$@" >"$out" 2>&1 || { cat "$out" >&2; fail "$name failed"; }
}
# refused TEXT COMMAND...: it must fail and say so
refused() {
  local text=$1; shift
  if "$@" >"$out" 2>&1; then fail "not refused: expected \"$text\" from $*"; fi
  says "$text"
}
says() { # what was refused last must say this too
  tr -s ' \n│' ' ' <"$out" | grep -qF "$1" || { cat "$out" >&2; fail "refused, but without \"$1\""; }
}

build_providers() {
  local version name registry folder
  mkdir -p "$cache"
  quiet "building the provider" env -C terraform/tests/provider CGO_ENABLED=0 go build -trimpath -o "$cache/provider" .
  for version in aws_6.25.0 google_7.45.0 azurerm_5.2.0; do
    name=${version%_*}
    # The registries of Terraform and of OpenTofu.
    for registry in registry.terraform.io registry.opentofu.org; do
      folder="$cache/mirror/$registry/hashicorp/$name/${version#*_}/linux_amd64"
      mkdir -p "$folder"
      # Renamed into place: another run may be serving from it.
      cp "$cache/provider" "$folder/new.$$"
      mv -f "$folder/new.$$" "$folder/terraform-provider-${name}_v${version#*_}"
    done
  done
}

# One process for each provider serves every command: a plan starts nine otherwise, which takes two fifths of its time.
start_providers() {
  local provider name deadline=$((SECONDS + 60))
  mkdir "$work/attach"
  for provider in "$cache"/mirror/registry.terraform.io/hashicorp/*/*/linux_amd64/terraform-provider-*; do
    FARQUORUM_ATTACH_DIR="$work/attach" TF_LOG_SDK_PROTO=off "$provider" >"$work/attach.log" 2>&1 &
    started+=($!)
  done
  for name in aws google azurerm; do
    until [[ -s $work/attach/$name ]]; do
      ((SECONDS < deadline)) || { cat "$work/attach.log" >&2; fail "the provider $name does not start"; }
      sleep 0.1
    done
  done
  TF_REATTACH_PROVIDERS=$(python3 - "$work"/attach/* <<'PY'
import json, sys
found = {}
for path in sys.argv[1:]:
    with open(path) as file:
        found |= json.loads(file.read().strip().partition("=")[2].strip("'"))
print(json.dumps(found | {k.replace("terraform.io", "opentofu.org"): v for k, v in found.items()}))
PY
  )
  export TF_REATTACH_PROVIDERS
}

# in_time SECONDS LOAD PROCESSORS. These tests alone are a load of two or three: more than that is other work, and the time says nothing.
in_time() {
  (($1 > seconds_max)) || return 0
  (($2 > 2 * $3 && $2 > 4)) || fail "all roots took $1 s, at most $seconds_max are allowed. If the machine is slow: TERRAFORM_SECONDS_MAX"
  say "all roots took $1 s of at most $seconds_max: inconclusive, at a load of $2 on $3 processors"
}

copy() { # copy NAME: a fresh copy of what Terraform reads, with secrets beside it
  mkdir -p "$work/$1/keys"
  cp -r terraform farquorum.toml "$work/$1/"
  rm -f "$work/$1"/terraform/roots/*/farquorum.auto.tfvars.json
  printf '%s\n' "$marker" >"$work/$1/keys/ca.key"
}
store() { sed -i "s/^\[storage\]\$/&\nservice = \"$2\"\naccount = \"fqjobs\"/" "$work/$1/farquorum.toml"; } # store NAME SERVICE
vars() { python3 "$top/terraform/tests/tfvars.py" "$1/farquorum.toml" "$2/test.auto.tfvars.json" "${@:3}"; }
init() { quiet "init of $1" env -u TF_REATTACH_PROVIDERS "$terraform" -chdir="$1" init -no-color -input=false -plugin-dir="$cache/mirror"; }
plan() { # plan FOLDER NAME: FOLDER/NAME and FOLDER/NAME.json
  quiet "plan in $1" "$terraform" -chdir="$1" plan -no-color -input=false -out="$2"
  "$terraform" -chdir="$1" show -json "$2" >"$1/$2.json"
}
check() { python3 -B "$top/terraform/tests/properties.py" "$@"; }

test_modules() {
  local module
  for module in cluster aws gcp azure; do
    init "$1/terraform/modules/$module"
    quiet "validate of modules/$module" "$terraform" -chdir="$1/terraform/modules/$module" validate -no-color
  done
  quiet "terraform test of modules/cluster" "$terraform" -chdir="$1/terraform/modules/cluster" test -no-color
  say "modules validate; $(tail -1 "$out")"
}

test_root() { # test_root NAME SERVICE CLOUD...
  local root=$1 service=$2 folder="$work/$1/terraform/roots/$1" clouds=() cloud
  shift 2
  for cloud in "$@"; do clouds+=(--provider "$cloud"); done
  copy "$root"
  [[ $service == s3 ]] || store "$root" "$service"
  vars "$work/$root" "$folder" "${clouds[@]}"
  init "$folder"
  [[ $(find "$folder/.terraform/providers" -mindepth 3 -maxdepth 3 | wc -l) == "$#" ]] || fail "roots/$root needs a provider of a cloud that it does not use"
  quiet "validate of roots/$root" "$terraform" -chdir="$folder" validate -no-color
  plan "$folder" first
  quiet "apply in roots/$root" "$terraform" -chdir="$folder" apply -no-color -input=false first
  "$terraform" -chdir="$folder" show -json >"$folder/state.json"
  check check "$folder/first.json" "$folder/state.json" --admin "$admin" --marker "$marker"
  test_import "$root" "$folder"
  if grep -qF "$marker" "$folder/terraform.tfstate"; then fail "roots/$root: the planted marker stands in the state file"; fi
  quiet "roots/$root: a second plan must change nothing; it" "$terraform" -chdir="$folder" plan -no-color -input=false -detailed-exitcode
  vars "$work/$root" "$folder" "${clouds[@]}" --image 1
  plan "$folder" image
  check kept "$folder/image.json"
  vars "$work/$root" "$folder" "${clouds[@]}"
  say "roots/$root: applied; nothing left to plan; a new image touches no machine and no data disk; storage.service = $service"
}

test_three_clouds() { # what needs an applied root with all of them
  local top_copy="$work/aws-gcp-azure" folder="$work/aws-gcp-azure/terraform/roots/aws-gcp-azure" all=(--provider aws --provider gcp --provider azure)
  check self-check "$folder/first.json" "$folder/state.json" --admin "$admin"
  vars "$top_copy" "$folder" "${all[@]}" --without azure
  plan "$folder" removed
  check only "$folder/removed.json" azure cp-azure-1 worker-azure-1
  vars "$top_copy" "$folder" "${all[@]}"
  quiet "terraform test of roots/aws-gcp-azure" "$terraform" -chdir="$folder" test -no-color
  say "properties notice every planted fault; one cloud removed plans only that cloud; $(tail -1 "$out")"

  printf '# edited\n' >>"$top_copy/farquorum.toml"
  refused "farquorum render" "$terraform" -chdir="$folder" plan -no-color -input=false
  cp farquorum.toml "$top_copy/farquorum.toml"
  refused "never let in" "$terraform" -chdir="$folder" plan -no-color -input=false \
    -var 'admin_cidrs=["0.0.0.0/0"]' -var 'intermediate_prefixes=["results/"]'
  says "anything wider would delete results"
  say "a stale render, the whole internet as operator and results that expire are refused"
}

test_too_few() { # a root with fewer clouds than farquorum.toml
  copy few
  store few gcp
  local folder="$work/few/terraform/roots/aws"
  vars "$work/few" "$folder" --provider aws --provider gcp --provider azure
  init "$folder"
  refused "Use the root that names all your clouds, or move" "$terraform" -chdir="$folder" plan -no-color -input=false
  says 'storage.service = "gcp", which this root does not serve. Allowed here: s3, aws.'
  say "a root with too few clouds and a store that it does not serve are refused"
}

test_upload() { # the image from a file, and WireGuard, in a cluster of its own
  copy upload
  store upload azure
  local folder="$work/upload/terraform/roots/aws-gcp-azure"
  vars "$work/upload" "$folder" --provider aws --provider gcp --provider azure
  : >"$folder/image.vhd"; : >"$folder/image.raw.tar.gz"; echo worker >"$folder/worker.vhd"
  cat >"$folder/z.auto.tfvars" <<'HCL'
images       = { aws = { file = "image.vhd", hosts = { worker-aws-1 = { file = "worker.vhd" } } }, gcp = { file = "image.raw.tar.gz" }, azure = { file = "image.vhd" } }
connectivity = "wireguard"
HCL
  init "$folder"
  plan "$folder" first
  quiet "apply with an uploaded image" "$terraform" -chdir="$folder" apply -no-color -input=false first
  "$terraform" -chdir="$folder" show -json >"$folder/state.json"
  check check "$folder/first.json" "$folder/state.json" --admin "$admin" --marker "$marker"
  test_import upload "$folder"
  "$terraform" -chdir="$folder" state list >"$folder/list"
  local name
  for name in aws_ami google_compute_image azurerm_image; do
    grep -q "$name.this" "$folder/list" || fail "images by file: no $name"
  done
  grep -q 'aws_ami.this\["worker-aws-1"\]' "$folder/list" || fail "images by file: none of a host's own"
  grep -q 'ingress_rule.this\["nodes-wireguard-cp-gcp-1"\]' "$folder/list" || fail "wireguard: no rule for a peer"
  if grep -qE '"(nodes|node)-raft' "$folder/list"; then fail "wireguard: the Raft port is open outside the mesh"; fi
  say "an image by file is uploaded and registered in three clouds; with WireGuard the Raft port is closed; storage.service = azure"
  sed -i 's/fq-test/fq-again/' "$folder/test.auto.tfvars.json"
  plan "$folder" again
  check renamed "$folder/again.json"
  say "images are made anew in other buckets without two of one name"
  vars "$work/upload" "$folder" --provider aws --provider gcp --provider azure --without azure
  refused 'storage.service = "azure", but none of its clouds has this provider' "$terraform" -chdir="$folder" plan -no-color -input=false
  say "a store of a cloud that farquorum.toml does not name is refused"
}

# What comes before and after Terraform, by the binary: its render has the contract's values, and what Terraform prints becomes a context.
binary=$(realpath -m "${FARQUORUM:-bin/farquorum}")
test_render() {
  quiet "farquorum render" "$binary" --config farquorum.toml render terraform --out "$work/rendered"
  quiet "comparing the render with its contract" python3 terraform/tests/tfvars.py farquorum.toml "$work/rendered/terraform/farquorum.auto.tfvars.json" --compare
  quiet "certs init" "$binary" certs init --dir "$work/certs"
  quiet "certs issue" "$binary" certs issue --dir "$work/certs" --role admin --name admin
  say "what farquorum render writes is what the tests use"
}
test_import() { # test_import NAME FOLDER
  [[ -x $binary ]] || return 0
  "$terraform" -chdir="$2" output -json >"$2/outputs.json"
  quiet "context import of roots/$1" env FARQUORUM_STATE_DIR="$work/$1/state" "$binary" --config "$work/$1/farquorum.toml" \
    context import "$2/outputs.json" --name "$1" --certs "$work/certs"
  FARQUORUM_STATE_DIR="$work/$1/state" "$binary" context show "$1" -o json >"$2/context.json"
  check context "$2/outputs.json" "$2/context.json"
}

# Neither comes from a distribution's packages: each is run where it is.
lint() {
  local folder passed
  if command -v checkov >/dev/null; then
    quiet checkov checkov --config-file terraform/tests/checkov.yaml -d terraform --output cli --output json --output-file-path "console,$work/checkov.json"
    passed=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["summary"]["passed"])' "$work/checkov.json")
    ((passed > 100)) || fail "checkov looked at $passed things only"
    say "checkov $(checkov --version): $passed passed, none failed"
  else
    say "checkov is not installed: not run (terraform/README.md)"
  fi
  if command -v tflint >/dev/null; then
    copy lint
    for folder in "$work"/lint/terraform/modules/* "$work"/lint/terraform/roots/*; do
      quiet "tflint of ${folder##*/terraform/}" tflint --chdir="$folder" --config="$top/terraform/tests/tflint.hcl"
    done
    say "$(tflint --version | head -1): nothing found"
  else
    say "tflint is not installed: not run (terraform/README.md)"
  fi
}

quiet "terraform fmt" "$terraform" fmt -check -recursive -diff terraform
lint
if [[ -x $binary ]]; then
  test_render
elif [[ ${CI:-} == true ]]; then
  fail "$binary is not built: farquorum render and context import were not compared with the roots"
else
  say "$binary is not built: farquorum render and context import were not compared with the roots"
fi
build_providers
began=$SECONDS
start_providers
# Two halves at once, about equally long; each works in folders of its own.
one_half() {
  out=$work/out-1
  copy modules
  test_modules "$work/modules"
  test_root aws aws aws
  test_root aws-gcp gcp aws gcp
  test_too_few
  test_upload
}
other_half() {
  test_root aws-gcp-azure s3 aws gcp azure
  test_three_clouds
}
one_half &
half=$!
started+=("$half")
other_half
wait "$half" || fail "what ran beside the root of three clouds failed, see above"
took=$((SECONDS - began))
read -r load _ </proc/loadavg
in_time "$took" "${load%.*}" "$(nproc)"
say "$("$terraform" version | head -1): passed in $took s ($SECONDS s with the provider's build). The real providers: not run."
