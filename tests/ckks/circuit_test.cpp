// SPDX-License-Identifier: Apache-2.0
// Random circuits: directed acyclic graphs of every operation on ciphertexts, compared slot by slot
// with complex doubles, and bit for bit between one and two threads.
#include <gtest/gtest.h>

#include <cmath>

#include "support.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;
using Values = std::vector<Complex>;

constexpr double kBits = 17;    // of the worst slot, scale 2^40
constexpr double kLargest = 2;  // values beyond this are not used any further
constexpr int kSteps = 40;
const i64 kRotations[] = {1, 5, -2, 64};

struct Node {
  Ciphertext x;
  Values value;
};

class Circuit {
 public:
  Circuit(const CkksOptions& options, u64 seed, i64 threads)
      : party_(options), c_(party_.c()), rng_(seed), pool_(threads) {
    KeyManifest manifest;
    manifest.relinearisation_level = manifest.conjugation_level = c_.max_level();
    for (i64 r : kRotations) manifest.add_rotation(r, c_.max_level(), c_.slots());
    keys_ = std::make_unique<EvaluationKeys>(party_.keys(manifest));
    for (int i = 0; i < 3; ++i) add_input();
  }

  /// The saved bytes of every node; the values are checked on the way.
  std::vector<std::byte> run() {
    for (int step = 0; step < kSteps; ++step) take_step();
    std::vector<std::byte> all;
    for (const Node& node : nodes_) {
      const std::vector<std::byte> bytes = save_ciphertext(c_, node.x);
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return all;
  }

  const std::string& trace() const { return trace_; }

 private:
  Complex random_complex(double size) {
    const double re = rng_.uniform(-size, size);
    return {re, rng_.uniform(-size, size)};
  }
  Values random_vector() {
    Values out(static_cast<size_t>(c_.slots()));
    for (Complex& v : out) v = random_complex(0.7);
    return out;
  }
  void add_input() {
    Values value = random_vector();
    Plaintext p = encode(c_, value, party_.scale(), c_.max_level());
    nodes_.push_back({encrypt_symmetric(c_, party_.secret, p, party_.rng), std::move(value)});
  }
  const Node& any() { return nodes_[size_t(rng_.below(std::ssize(nodes_)))]; }

  /// Two nodes brought to one level and one scale; the lower one is the model.
  std::pair<Ciphertext, Ciphertext> matched(const Node& a, const Node& b) {
    const Ciphertext &x = a.x, &y = b.x;
    if (x.level() == y.level()) {
      Ciphertext same = y.clone();
      same.set_scale(x.scale());  // scales of one level differ by less than 2^-20 here
      return {x.clone(), std::move(same)};
    }
    if (x.level() < y.level())
      return {x.clone(), match_level_and_scale(c_, y, x.level(), x.scale(), pool_)};
    return {match_level_and_scale(c_, x, y.level(), y.scale(), pool_), y.clone()};
  }

  template <class F>
  static Values zip(const Values& a, const Values& b, const F& f) {
    Values out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = f(a[i], b[i]);
    return out;
  }

  /// x rescaled, all three ways to get there being equal in value.
  Ciphertext product(const Ciphertext& x, const Ciphertext& y) {
    const i64 way = rng_.below(3);
    trace_ += "abc"[way];
    if (way == 0) return multiply_relinearise_rescale(c_, x, y, *keys_, pool_);
    if (way == 1) return rescale(c_, multiply_relinearise(c_, x, y, *keys_, pool_), pool_);
    return relinearise(c_, rescale(c_, multiply(c_, x, y, pool_), pool_), *keys_, pool_);
  }

  Node binary(int op, const Node& a, const Node& b) {
    auto [x, y] = matched(a, b);
    if (op == 0)
      return {add(c_, x, y), zip(a.value, b.value, [](Complex u, Complex v) { return u + v; })};
    if (op == 1)
      return {sub(c_, x, y), zip(a.value, b.value, [](Complex u, Complex v) { return u - v; })};
    const Values value = zip(a.value, b.value, [](Complex u, Complex v) { return u * v; });
    if (op == 2) return {product(x, y), value};
    // x y - y^2, relinearised once: a lazy sum of three parts.
    Ciphertext sum = multiply(c_, x, y, pool_);
    sub_inplace(c_, sum, square(c_, y, pool_));
    return {relinearise_rescale(c_, sum, *keys_, pool_),
            zip(a.value, b.value, [](Complex u, Complex v) { return (u - v) * v; })};
  }

  Node unary(int op, const Node& a) {
    Values value = a.value;
    const double q = double(c_.params().q(a.x.level()));
    switch (op) {
      case 0: {
        const i64 s = kRotations[rng_.below(4)], slots = c_.slots();
        for (i64 i = 0; i < slots; ++i) value[size_t(i)] = a.value[size_t((i + s + slots) % slots)];
        return {rotate(c_, a.x, s, *keys_, pool_), value};
      }
      case 1:
        for (Complex& v : value) v = std::conj(v);
        return {conjugate(c_, a.x, *keys_, pool_), value};
      case 2: {
        const Values d = random_vector();
        const Plaintext p = encode(c_, d, a.x.scale(), a.x.level());
        return {rng_.below(2) == 0 ? add_plain(c_, a.x, p)
                                   : negate(c_, negate(c_, add_plain(c_, a.x, p))),
                zip(a.value, d, [](Complex u, Complex v) { return u + v; })};
      }
      case 3: {
        const double d = rng_.uniform(-0.5, 0.5);
        for (Complex& v : value) v += d;
        return {add_constant(c_, a.x, d), value};
      }
      case 4: {
        const Values d = random_vector();
        return {rescale(c_, multiply_plain(c_, a.x, encode(c_, d, q, a.x.level())), pool_),
                zip(a.value, d, [](Complex u, Complex v) { return u * v; })};
      }
      case 5:
        for (Complex& v : value) v *= -0.375;
        return {rescale(c_, multiply_by_constant(c_, a.x, -0.375, q), pool_), value};
      case 6:
        for (Complex& v : value) v *= v;
        return {square_relinearise_rescale(c_, a.x, *keys_, pool_), value};
      default:
        return {match_level_and_scale(c_, a.x, a.x.level() - 1, party_.scale(), pool_), value};
    }
  }

  void take_step() {
    const int op = int(rng_.below(12));
    const Node& a = any();
    const Node& b = any();
    const bool needs_level = op >= 6;
    if (needs_level && std::min(a.x.level(), b.x.level()) == 0) return add_input();
    trace_ += "+-rcpk*lPCsm"[op];
    Node made = op < 2    ? binary(op, a, b)
                : op < 6  ? unary(op - 2, a)
                : op == 6 ? binary(2, a, b)
                : op == 7 ? binary(3, a, b)
                          : unary(op - 4, a);
    check(made);
    double largest = 0;
    for (const Complex& v : made.value) largest = std::max(largest, std::abs(v));
    if (largest <= kLargest) nodes_.push_back(std::move(made));
  }

  void check(const Node& node) {
    const Values found = decode_complex(c_, decrypt(c_, party_.secret, node.x));
    const Precision p = compare(found, node.value);
    ASSERT_GT(p.bits_min, kBits) << "after " << trace_ << " level " << node.x.level() << ": "
                                 << p.text();
  }

  Party party_;
  const Context& c_;
  Rng rng_;
  ThreadPool pool_;
  std::unique_ptr<EvaluationKeys> keys_;
  std::vector<Node> nodes_;
  std::string trace_;
};

void run_circuits(const CkksOptions& options, int circuits) {
  for (int i = 0; i < circuits; ++i) {
    const u64 seed = test_seed() + u64(i);
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Circuit one(options, seed, 1), two(options, seed, 2);
    const std::vector<std::byte> expected = one.run();
    EXPECT_TRUE(expected == two.run()) << "threads differ after " << one.trace();
    EXPECT_EQ(one.trace(), two.trace());
  }
}

TEST(Circuit, random_circuits_agree_with_complex_doubles_with_one_special_prime) {
  run_circuits(small_options(10, 6, 1), 4);
}

TEST(Circuit, random_circuits_agree_with_complex_doubles_with_two_special_primes) {
  run_circuits(small_options(10, 7, 2), 4);
}

TEST(Circuit, random_circuits_agree_with_complex_doubles_with_a_short_last_digit) {
  run_circuits(small_options(11, 6, 3), 3);
}

TEST(Circuit, random_circuits_agree_with_complex_doubles_with_one_digit) {
  run_circuits(small_options(10, 4, 5), 3);
}

TEST(Circuit, random_circuits_agree_with_complex_doubles_under_a_sparse_secret) {
  CkksOptions sparse = small_options(10, 5, 2);
  sparse.secret = SecretKind::sparse;
  sparse.hamming_weight = 64;
  run_circuits(sparse, 3);
}

}  // namespace
}  // namespace sinter::ckks
