// SPDX-License-Identifier: Apache-2.0
// Random nonsense: any operator with any inputs and attributes either evaluates or throws Error.
// Worth most under the sanitizers. Numbers are small or far too large, so that nothing allocates
// gigabytes.
#include <limits>
#include <sstream>

#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

i64 nasty(Rng& rng) {
  constexpr i64 kValues[] = {0,
                             1,
                             2,
                             3,
                             5,
                             -1,
                             -2,
                             i64(1) << 40,
                             -(i64(1) << 40),
                             std::numeric_limits<i64>::max(),
                             std::numeric_limits<i64>::min()};
  return kValues[rng.below(rng.below(4) == 0 ? 11 : 6)];
}

Tensor nasty_tensor(Rng& rng) {
  constexpr DType kTypes[] = {DType::f32, DType::f32, DType::f32,     DType::i64,   DType::i64,
                              DType::i32, DType::u8,  DType::boolean, DType::f16,   DType::f64,
                              DType::i8,  DType::u64, DType::bf16,    DType::string};
  Dims dims;
  for (i64 rank = rng.below(6); rank > 0; --rank)
    dims.push_back(rng.below(8) ? 1 + rng.below(3) : 0);
  const DType type = kTypes[rng.below(14)];
  if (type != DType::i64) return random_tensor(type, dims, rng);
  if (rng.below(2)) dims = {rng.below(5)};
  Tensor t(type, dims);
  for (i64& v : t.mutable_data<i64>()) v = nasty(rng);
  return t;
}

/// Some of the attributes that the operator knows; bodies are left out.
Attributes nasty_attributes(const OpInfo& op, Rng& rng) {
  const char* kTexts[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID",    "reflect", "edge",
                          "",       "?",          "LEFT",       "ij,jk->i", "...",     "ab,ab",
                          "tanh",   "linear",     "mean",       "add",      "a->a",    "ii->"};
  Attributes attributes;
  std::istringstream entries{std::string(op.attributes)};
  for (std::string entry; entries >> entry;) {
    const std::string name = entry.substr(0, entry.size() - 2);
    const char kind = entry.back();
    if (rng.below(3) == 0) continue;
    std::vector<i64> list;
    for (i64 n = rng.below(7); n > 0; --n) list.push_back(nasty(rng));
    if (kind == 'i') attributes.set(name, name == "to" ? rng.below(20) : nasty(rng));
    if (kind == 'f') attributes.set(name, float(rng.normal()));
    if (kind == 's') attributes.set(name, std::string(kTexts[size_t(rng.below(18))]));
    if (kind == 'I') attributes.set(name, list);
    if (kind == 't') attributes.set(name, std::make_shared<const Tensor>(nasty_tensor(rng)));
  }
  return attributes;
}

TEST(AnyOperator, evaluates_or_throws_an_error_on_nonsense) {
  const u64 seed = seed_or(0xBAD);
  Rng rng(seed);
  const char* wanted = std::getenv("SINTER_TEST_ROUNDS");
  const i64 rounds = wanted ? std::atoll(wanted) : 60000;
  i64 evaluated = 0;
  for (i64 round = 0; round < rounds; ++round) {
    const OpInfo& op = all_ops()[size_t(rng.below(std::ssize(all_ops())))];
    std::vector<Tensor> tensors;
    const i64 most = op.max_inputs < 0 ? op.min_inputs + 3 : op.max_inputs;
    const i64 count = op.min_inputs + rng.below(most - op.min_inputs + 1);
    for (i64 i = 0; i < count; ++i) {
      tensors.push_back(nasty_tensor(rng));
      // Half of the time a type that fits the first input gets it further.
      if (i > 0 && rng.below(2) && tensors[0].dtype() != DType::string &&
          tensors[size_t(i)].dtype() != DType::string)
        tensors[size_t(i)] = convert(tensors[size_t(i)], tensors[0].dtype());
    }
    std::vector<const Tensor*> inputs;
    for (i64 i = 0; i < count; ++i)
      inputs.push_back(i >= op.min_inputs && rng.below(4) == 0 ? nullptr : &tensors[size_t(i)]);
    const Attributes attributes = nasty_attributes(op, rng);
    const i64 outputs = op.max_outputs == 1 ? 1 : 1 + rng.below(3);
    try {
      evaluate_op(op.op, attributes, inputs, outputs);
      ++evaluated;
    } catch (const Error& error) {
      ASSERT_NE(error.kind(), ErrorKind::internal)
          << "seed " << seed << " round " << round << " " << op.name << ": " << error.what();
    }
  }
  EXPECT_GT(evaluated, rounds / 20);
}

}  // namespace
}  // namespace sinter
