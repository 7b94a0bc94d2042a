# The menu. Every target works on a fresh Debian or Ubuntu machine: ops/local/prepare installs what is missing and says why.
# Never holds logic of its own: each line calls the one program that owns the matter.
.DEFAULT_GOAL := help
.PHONY: help run test test-deep check format bench bench-quick launcher dist release recipes contract docs clean

PREPARE := ops/local/prepare
LAUNCHER := shared/sandbox/launcher

help: ## show this menu
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

run: ## start everything on this machine (root), prove it with one real program, serve until Ctrl-C
	@node=$$($(PREPARE) all) && NODE_COMPILE_CACHE=node_modules/.compiled exec $$node ops/local/main.ts $(ARGUMENTS)

test: ## check, then every test there is, with real sandboxes, stores and registries (root)
	@node=$$($(PREPARE) test) && $(MAKE) --no-print-directory check && \
	$(MAKE) --silent --no-print-directory -C $(LAUNCHER) sanitize && exec $$node test/run.ts $(FOLDERS)

test-deep: test ## make test, then hours' worth of chance: new fuzz inputs, the long soak, many kills; the knobs are in CONTRIBUTING.md
	@node=$$($(PREPARE) deep) && ENVICUTOR_TEST_DEEP=1 exec $$node test/run.ts guest-arm64 sanitized-soak deep simulation soak chaos egress-fuzz api-properties

check: ## types, lint and format, warnings and static analysis of the launcher, house rules
	@node=$$($(PREPARE) node) && \
	echo 'check: types' && $$node node_modules/typescript/bin/tsc --build && \
	echo 'check: lint and format' && $$node node_modules/@biomejs/biome/bin/biome check --error-on-warnings . && \
	echo 'check: static analysis of the launcher' && $(MAKE) --silent --no-print-directory -C $(LAUNCHER) analyze && \
	exec $$node test/run.ts house

format: ## rewrite the sources as the formatter wants them
	@node=$$($(PREPARE) node) && exec $$node node_modules/@biomejs/biome/bin/biome check --write .

bench: ## every scenario of bench/ next to its rivals, and a report of them; see bench/README.md
	@node=$$($(PREPARE) bench) && $$node bench/main.ts run $(SCENARIOS) && exec $$node bench/main.ts report bench/results/latest.json

bench-quick: ## the same with few samples, to see that the scenarios work
	@node=$$($(PREPARE) bench) && exec $$node bench/main.ts run --quick $(SCENARIOS)

launcher: ## compile the launcher (done by every target that needs it)
	@$(MAKE) -C $(LAUNCHER)

dist: ## compile what the npm package carries: dist/ as JavaScript, and the launcher (npm pack does it)
	@for room in shared agent coordinator client; do rm -rf dist/$$room dist/$$room.tsbuildinfo; done && \
	node=$$($(PREPARE) node) && $$node node_modules/typescript/bin/tsc --build agent coordinator client

release: ## tarballs, npm package, checksums, signature and bills of materials of this commit, in release/; see docs/releases.md
	@node=$$($(PREPARE) release) && exec $$node ops/release/main.ts $(ARGUMENTS)

recipes: ## build and run every recipe of ops/environments (ARGUMENTS='cpp python': these), and print a table (root)
	@node=$$($(PREPARE) all) && exec $$node ops/recipes/main.ts $(ARGUMENTS)

contract: ## generate shared/sandbox/contract.ts from contract.def
	@node=$$($(PREPARE) node) && exec $$node shared/sandbox/generate-contract.ts

docs: ## generate docs/{errors,configuration,http-api,lifecycles,protocol}.md, and types of client/python, from the declarations
	@node=$$($(PREPARE) node) && exec $$node ops/docs/main.ts

clean: ## remove what building left; node_modules and the state of make run stay
	@rm -rf dist coverage release && $(MAKE) --silent --no-print-directory -C $(LAUNCHER) clean
