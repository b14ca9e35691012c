// SPDX-License-Identifier: Apache-2.0
#include "encrypted/client.h"

#include <cmath>

#include "ckks/encoder.h"

namespace sinter::encrypted {

namespace {

/// The elements of the images, one image after another.
std::vector<double> elements_of(const EncryptedProgram& program, const Tensor& input) {
  Dims dims = input.dims();
  if (dims.size() + 1 == program.input_dims.size() && program.input_dims[0] == 1)
    dims.insert(dims.begin(), 1);
  Dims rest = dims;
  const bool is_batch = program.batch > 1 && !dims.empty() && dims[0] >= 1;
  if (is_batch) rest[0] = 1;
  require(rest == program.input_dims && (!is_batch || dims[0] <= program.batch),
          ErrorKind::bad_argument, "encrypt: input \"", program.input_name, "\" expects ",
          to_text(program.input_dims),
          program.batch > 1 ? ", at most " + std::to_string(program.batch) + " images" : "",
          ", found ", to_text(input.dims()));
  require(input.dtype() == DType::f32 || input.dtype() == DType::f64, ErrorKind::bad_argument,
          "encrypt: input \"", program.input_name, "\" expects f32, found ", name(input.dtype()));
  const double limit = program.input_limit;
  std::vector<double> elements(size_t(input.size()));
  for (i64 e = 0; e < input.size(); ++e) {
    elements[size_t(e)] = input.as_double(e);
    require(std::isfinite(elements[size_t(e)]), ErrorKind::bad_input, "encrypt: input \"",
            program.input_name, "\" holds ", elements[size_t(e)], " at element ", e);
  }
  for (size_t e = 0; e < elements.size() && limit > 0; ++e)
    require(std::abs(elements[e]) <= limit, ErrorKind::bad_input, "encrypt: input \"",
            program.input_name, "\" holds ", elements[e], " at element ", e,
            "; the program was compiled for values up to ", limit,
            " (the calibration data's range times the margin) and would give a wrong result");
  return elements;
}

}  // namespace

std::vector<std::vector<double>> pack_input(const EncryptedProgram& program, const Tensor& input) {
  const std::vector<double> elements = elements_of(program, input);
  std::vector<std::vector<double>> packed;
  for (const std::vector<i32>& map : program.input_elements) {
    std::vector<double>& slots = packed.emplace_back(size_t(program.slots()), 0.0);
    for (size_t s = 0; s < slots.size(); ++s)
      if (const i32 e = map[s % map.size()]; e >= 0 && e < std::ssize(elements))
        slots[s] = elements[size_t(e)];
  }
  return packed;
}

std::vector<ckks::Plaintext> encode_input(const EncryptedProgram& program,
                                          const ckks::Context& context, const Tensor& input) {
  std::vector<ckks::Plaintext> plaintexts;
  for (const std::vector<double>& slots : pack_input(program, input))
    plaintexts.push_back(ckks::encode(context, slots, program.input_scale(),
                                      program.input_level(std::ssize(plaintexts))));
  return plaintexts;
}

Tensor unpack_output(const EncryptedProgram& program, std::span<const double> slots, i64 image) {
  require(std::ssize(slots) >= program.instructions.back().period, ErrorKind::bad_argument,
          "decrypt: expected ", program.slots(), " slots, found ", slots.size());
  require(image >= 0 && image < program.batch, ErrorKind::bad_argument,
          "decrypt: expected an image of 0 to ", program.batch - 1, ", found ", image);
  Tensor output(DType::f32, program.output_dims);
  const auto to = output.mutable_data<float>();
  const size_t first = size_t(image) * to.size();
  for (size_t e = 0; e < to.size(); ++e)
    to[e] = float(slots[size_t(program.output_slots[first + e])]);
  return output;
}

}  // namespace sinter::encrypted
