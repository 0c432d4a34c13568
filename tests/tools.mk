# Programs that tests drive, each in a folder of its own below .tools, at the versions their lock files name.

.PHONY: test-tools
test-tools: .tools/claude-code/.ready .tools/node-sdk/.ready

.tools/claude-code/.ready: tests/cli/package.json tests/cli/package-lock.json
	@$(call install-node,.tools/claude-code,$^)

.tools/node-sdk/.ready: tests/sdk/node/package.json tests/sdk/node/package-lock.json
	@$(call install-node,.tools/node-sdk,$^)

# Where they cannot be had (no Node, no registry), their tests say so by name instead of passing.
define install-node
rm -rf $(1) && mkdir -p $(1) && cp $(2) $(1) && \
{ (cd $(1) && npm ci --no-audit --no-fund --loglevel=error >npm.log 2>&1) || \
  echo "$(1): npm ci failed; the tests that need it are skipped by name (see $(1)/npm.log)" >&2; } && \
touch $@
endef
