# SPDX-License-Identifier: Apache-2.0
"""The subcommands of `hlsc`, one module each: `add(commands)` declares it, `run(options)` does it."""
