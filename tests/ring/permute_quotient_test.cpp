// SPDX-License-Identifier: Apache-2.0
// permute_quotient: every instruction set against its formula, at lengths around the vector width.
#include <gtest/gtest.h>

#include <utility>

#include "ring/ntt.h"
#include "ring_test_support.h"

namespace sinter::ring {
namespace {

TEST(PermuteQuotient, every_instruction_set_equals_the_formula) {
  Rng rng(test_seed());
  for (int bits : {20, 40, 48})
    for (i64 n : {4, 8, 16, 64, 1024}) {
      const Modulus q(ntt_primes(1024, bits, 1)[0]);
      std::vector<u64> x = random_residues(rng, n, q), y = random_residues(rng, n, q),
                       z = random_residues(rng, n, q);
      x[0] = 0, y[0] = q.value() - 1, z[0] = q.value() - 1;  // the extremes
      x[1] = q.value() - 1, y[1] = 0, z[1] = 0;
      x[2] = y[2], z[2] = 0;
      for (u64 w : {u64(0), u64(1), q.value() - 1, q.value() / 2, q.value() / 3})
        for (u64 element : {u64(1), u64(5), 2 * u64(n) - 1}) {
          const std::vector<u32> p = automorphism_permutation(n, element);
          for (Isa isa : runnable_isas())
            for (const u64* added : {static_cast<const u64*>(nullptr), std::as_const(z).data()}) {
              std::vector<u64> out(static_cast<size_t>(n));
              permute_quotient(x.data(), y.data(), added, p, q, q.shoup(w), out.data(), isa);
              for (size_t i = 0; i < out.size(); ++i) {
                const u64 product = q.mul(q.sub(x[p[i]], y[p[i]]), w);
                ASSERT_EQ(out[i], added == nullptr ? product : q.add(product, added[p[i]]))
                    << name(isa) << " bits " << bits << " n " << n << " at " << i;
              }
            }
        }
    }
}

}  // namespace
}  // namespace sinter::ring
