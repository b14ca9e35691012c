// SPDX-License-Identifier: Apache-2.0
#include "encrypted/client.h"

#include <cmath>

namespace sinter::encrypted {

std::vector<double> pack_input(const EncryptedProgram& program, const Tensor& input) {
  Dims dims = input.dims();
  if (dims.size() + 1 == program.input_dims.size() && program.input_dims[0] == 1)
    dims.insert(dims.begin(), 1);
  require(dims == program.input_dims, ErrorKind::bad_argument, "encrypt: input \"",
          program.input_name, "\" expects ", to_text(program.input_dims), ", found ",
          to_text(input.dims()));
  require(input.dtype() == DType::f32 || input.dtype() == DType::f64, ErrorKind::bad_argument,
          "encrypt: input \"", program.input_name, "\" expects f32, found ", name(input.dtype()));
  for (i64 e = 0; e < input.size(); ++e)
    require(std::isfinite(input.as_double(e)), ErrorKind::bad_input, "encrypt: input \"",
            program.input_name, "\" holds ", input.as_double(e), " at element ", e);
  const double limit = program.input_limit;
  for (i64 e = 0; e < input.size() && limit > 0; ++e)
    require(std::abs(input.as_double(e)) <= limit, ErrorKind::bad_input, "encrypt: input \"",
            program.input_name, "\" holds ", input.as_double(e), " at element ", e,
            "; the program was compiled for values up to ", limit,
            " (the calibration data's range times the margin) and would give a wrong result");
  std::vector<double> slots(size_t(program.slots()), 0.0);
  const size_t period = program.input_elements.size();
  for (size_t s = 0; s < slots.size(); ++s)
    if (const i32 e = program.input_elements[s % period]; e >= 0) slots[s] = input.as_double(e);
  return slots;
}

Tensor unpack_output(const EncryptedProgram& program, std::span<const double> slots) {
  require(std::ssize(slots) >= program.instructions.back().period, ErrorKind::bad_argument,
          "decrypt: expected ", program.slots(), " slots, found ", slots.size());
  Tensor output(DType::f32, program.output_dims);
  const auto to = output.mutable_data<float>();
  for (size_t e = 0; e < to.size(); ++e) to[e] = float(slots[size_t(program.output_slots[e])]);
  return output;
}

}  // namespace sinter::encrypted
