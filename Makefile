# Run in an activated environment, made as the README says under Tests; `make check` makes its own.
.PHONY: check test lowest slow lint docs package bench

check: ## all that CI does, in a fresh environment
	bash .ci/run

test: ## the fast tests
	python -m pytest

lowest: ## the fast tests with the lowest versions that the package allows
	bash .ci/lowest

slow: ## the slow tests
	python -m pytest -m slow

lint:
	bash .ci/lint

docs: ## the site, in build/site
	bash .ci/docs

package: ## source distribution and wheel, in build/package
	bash .ci/package
	bash .ci/container

bench: ## training and tagging, as a share of the speed of the machine
	python benchmarks/speed.py --output build/speed
