// SPDX-License-Identifier: Apache-2.0
// Reader of compiled programs: any bytes give a program that passes check() or Error(bad_input).
// The bytes are read as they are, as the contents under a right header and checksum, and as a list
// of changes (offset u32, byte) to a real program. What is accepted is saved, costed and simulated.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "encrypted/compile.h"
#include "encrypted/cost.h"
#include "encrypted/serialize.h"
#include "encrypted/simulate.h"

namespace {

using sinter::ByteReader;
using sinter::ByteWriter;

void use(std::span<const std::byte> data) {
  try {
    const auto program = sinter::encrypted::load_program(data, "fuzz");
    SINTER_ASSERT(sinter::encrypted::save_program(*program).size() == data.size());
    for (std::size_t k = 0; k < program->instructions.size(); ++k)
      sinter::encrypted::cost_of(*program, sinter::i64(k));
    const std::vector<std::vector<double>> slots(
        std::size_t(program->input_count()),
        std::vector<double>(std::size_t(program->slots()), 0.5));
    if (program->slots() <= 4096 && program->input_count() <= 64 &&
        program->instructions.size() <= 64)
      sinter::encrypted::simulate(*program, slots);
  } catch (const sinter::Error& error) {
    if (error.kind() != sinter::ErrorKind::bad_input) throw;
  }
}

/// A small program with every kind of instruction.
std::vector<std::byte> sample() {
  using namespace sinter;
  Graph g;
  const auto weight = [&g](Dims dims) {
    Tensor t(DType::f32, std::move(dims));
    float next = 0.25f;
    for (float& v : t.mutable_data<float>()) v = next = next > 1 ? next - 1.7f : next + 0.3f;
    return g.add_constant(std::move(t));
  };
  const ValueId x = g.add_input("x", DType::f32, to_shape({1, 6}));
  ValueId v = g.add(Op::Gemm, {x, weight({6, 8}), weight({8})});
  v = g.add(Op::Mul, {v, g.add(Op::MatMul, {x, weight({6, 8})})});
  v = g.add(Op::Add, {g.add(Op::Mul, {v, v}), v});
  g.add_output("y", g.add(Op::Gemm, {v, weight({8, 2}), weight({2})}));
  std::vector<Tensor> data;
  data.push_back(Tensor::of<float>({1, 6}, {1, 0, -1, 0.5f, 0, 1}));
  encrypted::CompileOptions options;
  options.scheme.log_n = 6;
  options.scheme.log_p = {48, 48};
  options.scheme.security = ckks::Security::none_for_tests;
  options.metadata["input.scale"] = "1";
  return encrypted::save_program(*encrypted::compile(g, data, options).program);
}

std::vector<std::byte> changed_sample(std::span<const std::byte> changes) {
  static const std::vector<std::byte> original = sample();
  std::vector<std::byte> payload(original.begin() + 64, original.end());
  for (std::size_t i = 0; i + 5 <= changes.size(); i += 5) {
    std::size_t offset = 0;
    for (std::size_t k = 0; k < 4; ++k) offset = offset * 256 + std::size_t(changes[i + k]);
    payload[offset % payload.size()] = changes[i + 4];
  }
  return payload;
}

/// A header that fits `payload`; the parameters are parsed because the header names their hash.
std::vector<std::byte> sealed(std::span<const std::byte> payload) {
  ByteReader in(payload, "fuzz");
  const sinter::u64 params_hash = sinter::ckks::CkksParams::parse(in).hash();
  const sinter::Digest digest = sinter::sha256(payload);
  ByteWriter out;
  out.bytes(std::as_bytes(std::span("SNTRPROG", 8)));
  out.u32_(2);
  out.u32_(0);
  out.i64_(std::ssize(payload));
  out.u64_(params_hash);
  out.bytes(std::as_bytes(std::span(digest)));
  out.bytes(payload);
  return out.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  use(bytes);
  const std::vector<std::byte> patched = changed_sample(bytes);
  for (const std::span<const std::byte> payload : {bytes, std::span<const std::byte>(patched)}) {
    std::vector<std::byte> file;
    try {
      file = sealed(payload);
    } catch (const sinter::Error& error) {
      if (error.kind() != sinter::ErrorKind::bad_input) throw;
      continue;
    }
    use(file);
  }
  return 0;
}
