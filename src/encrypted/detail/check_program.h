// SPDX-License-Identifier: Apache-2.0
// The parts of check(): what every value is, by the instructions alone (check_values.cpp), and what
// the tables and the interface of a program may be (check_tables.cpp).
#pragma once
#include <span>
#include <vector>

#include "encrypted/program.h"

namespace sinter::encrypted::detail {

/// What is known of a value: `wanted` < period while slots hold partial sums.
struct ValueState {
  int level = 0;
  double scale = 0;
  i64 period = 0, wanted = 0;
  bool is_partial() const { return wanted < period; }
};

bool is_power_of_two(i64 v);

/// The value of every instruction, recomputed and compared with what the instruction says. The
/// tables were checked.
/// throws  Error(bad_input) naming the instruction, its layer, what was expected and found
std::vector<ValueState> check_values(const EncryptedProgram& program);

/// Layers, vectors, maps and bootstraps, each for itself.
/// throws  Error(bad_input) naming the one that is malformed
void check_tables(const EncryptedProgram& program);

/// Every map and vector belongs to exactly one instruction, every bootstrap to one or more. The
/// instructions were checked.
void check_used(const EncryptedProgram& program);

/// Inputs, output, batch, limits and security. values: those of check_values.
void check_interface(const EncryptedProgram& program, std::span<const ValueState> values);

}  // namespace sinter::encrypted::detail
