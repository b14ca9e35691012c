// SPDX-License-Identifier: Apache-2.0
// The parameters that encrypted networks use (128-bit secure, log2 QP 680): both sides of a call,
// and operations further down the chain.
#include "ckks/encoder.h"
#include "ckks/evaluate.h"
#include "ckks/rows.h"
#include "ckks/serialize.h"

namespace sinter::bench {
namespace {

ckks::KeyManifest one_rotation(const ckks::Context& context) {
  ckks::KeyManifest manifest;
  manifest.add_rotation(1, context.max_level(), context.slots());
  return manifest;
}

}  // namespace

std::vector<Row> network_rows() {
  const auto s = std::make_shared<Setup>(15, 12, 4, std::vector<i64>{1}, true);
  const ckks::Context& c = s->c();
  const double scale = c.params().scale();
  const int top = c.max_level();
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const std::string& operation,
                       const std::function<void(ThreadPool&)>& run) {
    rows.push_back({.name = name, .operation = operation, .parameters = s->parameters, .run = run});
  };
  for (int level : {11, 5, 1}) {
    const auto x = std::make_shared<ckks::Ciphertext>(drop_to_level(c, s->x, level));
    add("network_rotate_" + std::to_string(level), "rotation at level " + std::to_string(level),
        [s, x](ThreadPool& pool) { rotate(s->c(), *x, 1, s->keys, pool); });
  }
  add("network_multiply", "multiply + relinearise",
      [s](ThreadPool& pool) { multiply_relinearise(s->c(), s->x, s->x, s->keys, pool); });
  add("network_encode", "encode a period of 2048", [s, scale, top](ThreadPool&) {
    encode_periodic(s->c(), std::span(s->values).first(2048), scale, top, ckks::Basis::q);
  });
  const auto plain = std::make_shared<ckks::Plaintext>(encode(c, s->values, scale, top));
  add("network_encrypt", "encrypt, symmetric",
      [s, plain](ThreadPool&) { encrypt_symmetric(s->c(), s->secret, *plain, s->rng); });
  const auto low = std::make_shared<ckks::Plaintext>(encode(c, s->values, scale, 1));
  add("network_decode", "decode at level 1", [s, low](ThreadPool&) { decode(s->c(), *low); });
  add("network_key", "generate a rotation key", [s](ThreadPool& pool) {
    generate_evaluation_keys(s->c(), s->secret, one_rotation(s->c()), s->rng, pool);
  });
  const auto file = std::make_shared<std::vector<std::byte>>(save_evaluation_keys(
      c, generate_evaluation_keys(c, s->secret, one_rotation(c), s->rng, s->pool)));
  add("network_load", "load it, seeds expanded",
      [s, file](ThreadPool& pool) { load_evaluation_keys(s->c(), *file, "key", pool); });
  return rows;
}

}  // namespace sinter::bench
