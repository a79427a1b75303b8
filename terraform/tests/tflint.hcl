# tflint --chdir=FOLDER --config=terraform/tests/tflint.hcl: all rules of the set that comes with it; nothing is downloaded.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
