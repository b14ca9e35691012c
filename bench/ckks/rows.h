// SPDX-License-Identifier: Apache-2.0
// What `ckks_bench` can measure: groups of rows that share parameters and keys. A group is made
// when it is asked for (its keys take up to 4 GB) and dropped before the next one.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/threads.h"
#include "ckks/keys.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"

namespace sinter::bench {

/// One line of the table.
struct Row {
  std::string name;  ///< what the driver knows it by, e.g. "rotate_16"
  std::string operation, parameters;
  std::function<void(ThreadPool&)> run;
  bool two_threads = false;             ///< measured on two threads as well
  std::function<void()> textbook = {};  ///< the plain form of the same, where it has a name
  double butterflies = 0;               ///< of a transform
  /// Of the result, decrypted, against the same in double.
  std::function<ckks::Precision()> precision = {};
};

/// Sizes and times that are taken once.
struct Fact {
  std::string name, operation, parameters;
  double value;
  std::string unit;
};

/// Parameters, keys and one fresh ciphertext of random values in [-1, 1] at the highest level. The
/// same for every run: seeds are constants.
struct Setup {
  std::shared_ptr<const ckks::Context> context;
  ring::SecretRng rng{ring::Seed{1}};
  ThreadPool pool{1};
  ckks::SecretKey secret;
  ckks::EvaluationKeys keys;
  std::vector<double> values;
  ckks::Ciphertext x;
  std::string parameters;  ///< for the table

  /// q_count primes: 48 bits, then 40 each; p_count special primes of 48. Keys for `rotations`, and
  /// for relinearisation if asked. N = 2^15 with 24 + 5 primes is above the 128-bit line; it is
  /// here because the peers were measured so.
  Setup(int log_n, int q_count, int p_count, const std::vector<i64>& rotations, bool relinearise);
  const ckks::Context& c() const { return *context; }
  void encrypt_values();  ///< values to x
  ckks::Precision precision(const ckks::Ciphertext& found, std::span<const double> expected) const;
};

std::vector<Row> transform_rows();           ///< one prime of 48 bits, N = 2^15 and 2^16
std::vector<Row> operation_rows(int log_n);  ///< 24 + 5 primes
std::vector<Row> network_rows();             ///< N = 2^15, 12 + 4 primes: what a small network uses
std::vector<Row> matrix_rows();              ///< N = 2^16, 11 + 3 primes, 512 diagonals
std::vector<Fact> key_facts();               ///< sizes and loading
void print_rotation_profile();               ///< where the time of a rotation goes

}  // namespace sinter::bench
