// SPDX-License-Identifier: Apache-2.0
// The transforms of one limb against the textbook ones, in turns in one process.
#include "base/random.h"
#include "ckks/rows.h"
#include "ring/ntt.h"
#include "ring/poly.h"

namespace sinter::bench {
namespace {

struct Limb {
  ring::NttTables tables;
  ring::RnsPoly poly;  // where residues live: a limb starts on a cache line

  explicit Limb(int log_n)
      : tables(i64(1) << log_n, ring::Modulus(ring::ntt_primes(i64(1) << log_n, 48, 1)[0])),
        poly(i64(1) << log_n, 1) {
    Rng random(3);
    for (u64& v : poly.limb(0)) v = u64(random.below(i64(tables.modulus().value())));
  }
};

}  // namespace

std::vector<Row> transform_rows() {
  std::vector<Row> rows;
  for (int log_n : {15, 16}) {
    const auto limb = std::make_shared<Limb>(log_n);
    const std::string size = std::to_string(log_n), parameters = "N=2^" + size + ", one prime";
    const double butterflies = double(limb->poly.n()) / 2 * log_n;
    rows.push_back(
        {.name = "ntt_forward_" + size,
         .operation = "forward transform",
         .parameters = parameters,
         .run = [limb](ThreadPool&) { ring::ntt_forward(limb->tables, limb->poly.limb(0)); },
         .textbook = [limb] { ring::ntt_forward_reference(limb->tables, limb->poly.limb(0)); },
         .butterflies = butterflies});
    rows.push_back(
        {.name = "ntt_inverse_" + size,
         .operation = "inverse transform",
         .parameters = parameters,
         .run = [limb](ThreadPool&) { ring::ntt_inverse(limb->tables, limb->poly.limb(0)); },
         .textbook = [limb] { ring::ntt_inverse_reference(limb->tables, limb->poly.limb(0)); },
         .butterflies = butterflies});
  }
  return rows;
}

}  // namespace sinter::bench
