// SPDX-License-Identifier: Apache-2.0
// The commands: one file each, which adds its options and its callback to the application. A
// callback throws sinter::Error; main.cpp turns it into a message and an exit code.
#pragma once
#include <CLI/CLI.hpp>

#include "graph/graph.h"

namespace sinter::cli {

void add_inspect(CLI::App& app);
void add_optimize(CLI::App& app);
void add_verify(CLI::App& app);
void add_run(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_compile(CLI::App& app);
void add_keygen(CLI::App& app);
void add_expand_keys(CLI::App& app);
void add_encrypt(CLI::App& app);
void add_infer(CLI::App& app);
void add_decrypt(CLI::App& app);
void add_report(CLI::App& app);
void add_debug(CLI::App& app);

/// What inspect and optimize say of inputs whose default values count as constants; empty or whole
/// lines.
std::string defaulted_text(const Graph& graph);

/// Options that several commands have, described once.
void add_json(CLI::App& command, bool& json);
void add_threads(CLI::App& command, int& threads);

/// What a number may be; text and NaN are no numbers.
CLI::Validator at_least(double least);
CLI::Validator above(double bound);
CLI::Validator between(double least, double most);

}  // namespace sinter::cli
