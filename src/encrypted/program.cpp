// SPDX-License-Identifier: Apache-2.0
#include "encrypted/program.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ckks/noise.h"

namespace sinter::encrypted {

ckks::LinearPlan LinearMap::plan(i64 slots) const {
  return ckks::plan_linear(indices, slots, baby_count, form);
}

std::string_view name(Opcode op) {
  constexpr std::string_view kNames[kOpcodeCount] = {
      "input", "drop",       "linear", "rescale",  "fold",
      "add",   "add_vector", "square", "multiply", "bootstrap"};
  return kNames[int(op)];
}

std::vector<i32> last_uses(const EncryptedProgram& program) {
  std::vector<i32> last(program.instructions.size());
  for (size_t k = 0; k < last.size(); ++k) {
    last[k] = i32(k);
    for (i32 v : {program.instructions[k].a, program.instructions[k].b})
      if (v >= 0) last[size_t(v)] = i32(k);
  }
  return last;
}

double EncryptedProgram::output_error() const {
  const auto found = metadata.find(kOutputError);
  if (found == metadata.end()) return 0;
  double value = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [rest, error] = std::from_chars(found->second.data(), end, value);
  require(error == std::errc() && rest == end && std::isfinite(value) && value > 0,
          ErrorKind::bad_input, "program: metadata ", kOutputError,
          ": expected a positive number, found \"", found->second, "\"");
  return value;
}

double EncryptedProgram::output_bits() const {
  const double range = layers.empty() ? 0 : layers.back().range, error = output_error();
  return range > 0 && error > 0 ? ckks::precision_estimate({range, error}) : 0;
}

}  // namespace sinter::encrypted
