.POSIX:
.PHONY: help demo test lint soak sanitize coverage wheel bench clean

# The interpreters to use; empty means every CPython >= 3.12 that .ci/pythons finds.
PYTHON =
export PYTHON
# The backends that `make soak` uses; empty means both.
BACKENDS =
export BACKENDS

help:
	@echo 'make demo    build, install into build/demo, run the examples and show what served them'
	@echo 'make test    everything: lint, Go, and each Python found on both backends'
	@echo 'make lint    gofmt, go vet, staticcheck, ruff and mypy alone'
	@echo 'make soak    tests_py/hard at length, on each Python found and both backends (about an hour)'
	@echo 'make sanitize  the native backend with address and undefined-behaviour sanitizers'
	@echo 'make coverage  which lines of Python, Go and C the tests run'
	@echo 'make wheel   the sdist, a wheel for each Python found and the portable one, into dist/; checked'
	@echo 'make bench   measure it beside pyasyncore, asyncio and uvloop (QUICK=1: one short round)'
	@echo 'make clean   remove what the others left behind'
	@echo
	@echo 'PYTHON="python3.12 /path/to/python3.13" names the interpreters to use, BACKENDS=native that of make soak.'

demo:
	@.ci/demo

test:
	@.ci/tests

lint:
	@.ci/tests -k lint

soak:
	@.ci/soak

sanitize:
	@.ci/sanitize

coverage:
	@.ci/coverage

wheel:
	@.ci/wheels

bench:
	@QUICK='$(QUICK)' PLOTS='$(PLOTS)' bench/run

clean:
	rm -rf build dist python/*.egg-info .hypothesis
	rm -f python/goasyncore/_binding*.so
	find python tests_py examples -name __pycache__ -type d -prune -exec rm -rf {} +
