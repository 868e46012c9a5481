.PHONY: run test setup check bench bench-profile bench-detect fuzz test-vm kernels scenarios docs readers

run:
	./run

test:
	./test

setup:
	./test --version

# Lint, format, types, layers, sizes: the part of the tests that reads the project itself.
check:
	./test tests/project

bench: setup
	.venv/bin/python bench/run.py

# How right, complete and cheap profiles are, beside perf, py-spy (PYSPY=…) and bpftrace (BPFTRACE=…): 15 minutes. Tables in
# Markdown, also to a file with `make bench-profile OUTPUT=FILE`; ROWS=cost:kernscope runs some of them alone.
bench-profile: setup
	.venv/bin/python bench/profiling.py $(if $(OUTPUT),-o $(OUTPUT)) $(ROWS)

# What `detect run` costs with all default rules, beside strace and auditd where they are installed, and what it finds
# during a flood: 10 minutes. OUTPUT and ROWS as above.
bench-detect: setup
	.venv/bin/python bench/detection.py $(if $(OUTPUT),-o $(OUTPUT)) $(ROWS)

# Random texts for the parser, random SSA for the back end, random programs through everything. Needs root.
# `make fuzz COUNT=50000 SEED=1000000` for more of the last, and others.
COUNT = 10000
SEED = 0
fuzz: setup
	.venv/bin/python tests/fuzz/syntax_fuzz.py 20000
	.venv/bin/python tests/fuzz/ssa_fuzz.py --count 10000 --kernel
	.venv/bin/python tests/fuzz/program_fuzz.py --count $(COUNT) --seed $(SEED)

# `make test-vm KERNELS=6.12` tests one kernel only.
KERNELS =
test-vm: setup
	.venv/bin/python tests/vm/virtual_machine.py $(KERNELS)

# What works on which kernel: docs/kernels.json, and the page from it.
kernels: setup
	.venv/bin/python tools/kernel_matrix.py $(KERNELS)
	.venv/bin/python tools/generate_docs.py

# What the default rules catch and what they leave alone, as docs/scenarios.md. Needs root.
scenarios: setup
	@# Two shells lie between, as what make starts is taken for a build.
	sh -c 'sh -c ".venv/bin/python tools/scenario_table.py; exit \$$?"; exit $$?'

# The pages that are generated from the tables.
docs: setup
	.venv/bin/python tools/generate_docs.py

# Viewers of profiles that the tests open files with where they are there: speedscope, of which npm keeps the files in build/.
readers:
	npm install --prefix build/npm --ignore-scripts --no-audit --no-fund speedscope@1.25.0
