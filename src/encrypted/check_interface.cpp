// SPDX-License-Identifier: Apache-2.0
// What a program takes and gives: the maps of its inputs and its output, and what it promises.
#include "encrypted/bootstrap_chain.h"
#include "encrypted/detail/check_program.h"

namespace sinter::encrypted::detail {
namespace {

constexpr i64 kMaxElements = i64(1) << 31;

i64 element_count(const Dims& dims) {
  i64 n = 1;
  for (i64 d : dims) {
    require(d >= 1 && d <= kMaxElements, ErrorKind::bad_input, "program: dimension ", d);
    n *= d;
    require(n <= kMaxElements, ErrorKind::bad_input, "program: a tensor too large");
  }
  return n;
}

void check_numbers(const EncryptedProgram& p) {
  require(p.input_count() >= 1 && p.input_count() <= std::ssize(p.instructions),
          ErrorKind::bad_input, "program: ", p.input_count(), " inputs");
  require(is_power_of_two(p.batch) && p.batch <= p.slots(), ErrorKind::bad_input,
          "program: a batch of ", p.batch, " images");
  require(p.input_limit >= 0 && p.output_limit >= 0, ErrorKind::bad_input,
          "program: expected limits of input and output of at least 0, found ", p.input_limit,
          " and ", p.output_limit);
}

void check_inputs(const EncryptedProgram& p, std::span<const ValueState> values) {
  const i64 elements = p.batch * element_count(p.input_dims);
  for (i64 k = 0; k < p.input_count(); ++k) {
    const std::vector<i32>& map = p.input_elements[size_t(k)];
    const i64 period = values[size_t(k)].period;
    require(p.instructions[size_t(k)].op == Opcode::input, ErrorKind::bad_input,
            "program: instruction ", k, " is not input ", k);
    require(std::ssize(map) == period, ErrorKind::bad_input, "program: the input map ", k, " has ",
            map.size(), " slots, its value ", period);
    for (i32 e : map)
      require(e >= -1 && e < elements, ErrorKind::bad_input, "program: input element ", e,
              " is outside -1 to ", elements - 1);
  }
}

void check_output(const EncryptedProgram& p, const ValueState& last) {
  require(!last.is_partial(), ErrorKind::bad_input,
          "program: the output holds partial sums, which would leak intermediate values");
  require(std::ssize(p.output_slots) == p.batch * element_count(p.output_dims),
          ErrorKind::bad_input, "program: the output map has ", p.output_slots.size(),
          " elements, ", p.batch, " results of dims ", to_text(p.output_dims));
  for (i32 s : p.output_slots)
    require(s >= 0 && s < last.period, ErrorKind::bad_input, "program: output slot ", s,
            " is outside 0 to ", last.period - 1);
}

void check_security(const EncryptedProgram& p) {
  require(p.params.options().security == ckks::Security::none_for_tests ||
              p.params.log2_qp() <= p.params.log2_qp_limit(),
          ErrorKind::bad_input, "program: ", p.params.security_text());
  require(p.bootstraps.empty() || bits_over_encapsulation_limit(p.params) <= 0,
          ErrorKind::bad_input, "program: the key of the ephemeral sparse secret has ",
          bits_over_encapsulation_limit(p.params), " bits too many");
}

}  // namespace

void check_interface(const EncryptedProgram& p, std::span<const ValueState> values) {
  check_numbers(p);
  check_inputs(p, values);
  check_output(p, values.back());
  check_security(p);
}

}  // namespace sinter::encrypted::detail
