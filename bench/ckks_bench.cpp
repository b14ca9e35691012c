// SPDX-License-Identifier: Apache-2.0
// The engine at the size that encrypted networks use: N = 2^15, q_0 of 48 bits and eleven primes of
// 40, four special primes of 48, one thread. "ns_per_butterfly" of the transforms is the figure
// that compares machines.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "base/random.h"
#include "ckks/encoder.h"
#include "ckks/evaluate.h"
#include "ckks/linear.h"
#include "ckks/secret_key.h"
#include "ckks/serialize.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

struct Setup {
  std::shared_ptr<const Context> context;
  ring::SecretRng rng{ring::Seed{1}};
  ThreadPool pool{1};
  SecretKey secret;
  EvaluationKeys keys;
  std::vector<double> values;
  Ciphertext x;

  static CkksOptions options() {
    CkksOptions o;
    o.log_n = 15;
    o.log_q.assign(12, 40);
    o.log_q[0] = 48;
    o.log_p.assign(4, 48);
    return o;
  }
  EvaluationKeys make_keys() {
    KeyManifest manifest;
    const int level = context->max_level();
    manifest.relinearisation_level = level;
    for (i64 r : {1, 2, 3, 4, 5, 6, 7, 8, 16, 24})
      manifest.add_rotation(r, level, context->slots());
    return generate_evaluation_keys(*context, secret, manifest, rng, pool);
  }
  Setup()
      : context(Context::create(CkksParams::check(options()))),
        secret(generate_secret_key(*context, rng)),
        keys(make_keys()) {
    Rng random(7);
    values.resize(size_t(context->slots()));
    for (double& v : values) v = random.uniform(-1, 1);
    x = encrypt_symmetric(*context, secret,
                          encode(*context, values, context->params().scale(), context->max_level()),
                          rng);
  }
  const Context& c() const { return *context; }
};

Setup& setup() {
  static Setup s;
  return s;
}

template <class Transform>
void transform(benchmark::State& state, const Transform& run) {
  const i64 n = i64(1) << state.range(0);
  const ring::NttTables tables(n, ring::Modulus(ring::ntt_primes(n, 48, 1)[0]));
  std::vector<u64> x(static_cast<size_t>(n));
  Rng random(3);
  for (u64& v : x) v = u64(random.below(i64(tables.modulus().value())));
  for (auto _ : state) {
    run(tables, x);
    benchmark::DoNotOptimize(x.data());
  }
  const double butterflies = double(n) / 2 * double(state.range(0));
  state.counters["ns_per_butterfly"] =
      benchmark::Counter(butterflies * double(state.iterations()) * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void ntt_forward(benchmark::State& state) {
  transform(state, [](const ring::NttTables& t, std::span<u64> x) { ring::ntt_forward(t, x); });
}
void ntt_inverse(benchmark::State& state) {
  transform(state, [](const ring::NttTables& t, std::span<u64> x) { ring::ntt_inverse(t, x); });
}
void ntt_forward_reference(benchmark::State& state) {
  transform(state, ring::ntt_forward_reference);
}
BENCHMARK(ntt_forward)->Arg(13)->Arg(15)->Arg(16)->Unit(benchmark::kMicrosecond);
BENCHMARK(ntt_inverse)->Arg(15)->Unit(benchmark::kMicrosecond);
BENCHMARK(ntt_forward_reference)->Arg(15)->Unit(benchmark::kMicrosecond);

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Both transforms in turn on the same values; "ratio" compares the fastest run of each.
template <class Fast, class Reference>
void compare(benchmark::State& state, const Fast& fast, const Reference& reference) {
  const i64 n = i64(1) << state.range(0);
  const ring::NttTables tables(n, ring::Modulus(ring::ntt_primes(n, 48, 1)[0]));
  std::vector<u64> x(static_cast<size_t>(n), 1);
  double fast_s = 1e9, reference_s = 1e9;
  for (auto _ : state) {
    auto start = std::chrono::steady_clock::now();
    reference(tables, x);
    reference_s = std::min(reference_s, seconds_since(start));
    start = std::chrono::steady_clock::now();
    fast(tables, x, active_isa());
    fast_s = std::min(fast_s, seconds_since(start));
  }
  state.counters["reference_us"] = reference_s * 1e6;
  state.counters["fast_us"] = fast_s * 1e6;
  state.counters["ratio"] = reference_s / fast_s;
}
void ntt_forward_ratio(benchmark::State& state) {
  compare(state, ring::ntt_forward, ring::ntt_forward_reference);
}
void ntt_inverse_ratio(benchmark::State& state) {
  compare(state, ring::ntt_inverse, ring::ntt_inverse_reference);
}
BENCHMARK(ntt_forward_ratio)->DenseRange(12, 16)->Unit(benchmark::kMicrosecond);
BENCHMARK(ntt_inverse_ratio)->DenseRange(12, 16)->Unit(benchmark::kMicrosecond);

void encode_full(benchmark::State& state) {
  Setup& s = setup();
  for (auto _ : state)
    benchmark::DoNotOptimize(encode(s.c(), s.values, 0x1p40, s.c().max_level(), Basis::q));
}
void encode_period_2048(benchmark::State& state) {
  Setup& s = setup();
  const std::span<const double> period(s.values.data(), 2048);
  for (auto _ : state)
    benchmark::DoNotOptimize(encode_periodic(s.c(), period, 0x1p40, s.c().max_level(), Basis::q));
}
void decode_full(benchmark::State& state) {
  Setup& s = setup();
  const Plaintext p = encode(s.c(), s.values, 0x1p40, 1);
  for (auto _ : state) benchmark::DoNotOptimize(decode(s.c(), p));
}
void encrypt(benchmark::State& state) {
  Setup& s = setup();
  const Plaintext p = encode(s.c(), s.values, 0x1p40, s.c().max_level());
  for (auto _ : state) benchmark::DoNotOptimize(encrypt_symmetric(s.c(), s.secret, p, s.rng));
}
void rotate_one(benchmark::State& state) {
  Setup& s = setup();
  const Ciphertext x = drop_to_level(s.c(), s.x, int(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(rotate(s.c(), x, 1, s.keys, s.pool));
}
void rotate_hoisted_8(benchmark::State& state) {
  Setup& s = setup();
  const std::vector<i64> steps = {1, 2, 3, 4, 5, 6, 7, 8};
  for (auto _ : state) benchmark::DoNotOptimize(rotate_hoisted(s.c(), s.x, steps, s.keys, s.pool));
}
void multiply_relin(benchmark::State& state) {
  Setup& s = setup();
  for (auto _ : state)
    benchmark::DoNotOptimize(multiply_relinearise(s.c(), s.x, s.x, s.keys, s.pool));
}
void rescale_one(benchmark::State& state) {
  Setup& s = setup();
  for (auto _ : state) benchmark::DoNotOptimize(rescale(s.c(), s.x, s.pool));
}
void multiply_plain_one(benchmark::State& state) {
  Setup& s = setup();
  const Plaintext p = encode(s.c(), s.values, 0x1p40, s.c().max_level());
  for (auto _ : state) benchmark::DoNotOptimize(multiply_plain(s.c(), s.x, p));
}
/// 32 diagonals, 8 babies and 4 giants, encoded ahead.
void linear_32(benchmark::State& state) {
  Setup& s = setup();
  std::vector<i64> indices;
  for (i64 i = 0; i < 32; ++i) indices.push_back(i);
  const LinearPlan plan = plan_linear(indices, s.c().slots(), i64(8));
  const DiagonalSource source{
      [&](i64, std::span<double> out) { std::copy_n(s.values.begin(), out.size(), out.begin()); },
      state.range(0)};
  const EncodedDiagonals d =
      encode_diagonals(s.c(), plan, source, 0x1p40, s.c().max_level(), s.pool);
  state.counters["diagonal_MiB"] = double(d.bytes()) / (1 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(apply_linear(s.c(), plan, d, s.x, s.keys, s.pool));
}
void galois_key(benchmark::State& state) {
  Setup& s = setup();
  KeyManifest manifest;
  manifest.add_rotation(1, s.c().max_level(), s.c().slots());
  for (auto _ : state)
    benchmark::DoNotOptimize(generate_evaluation_keys(s.c(), s.secret, manifest, s.rng, s.pool));
  state.counters["key_MiB"] = double(manifest.bytes(s.c().params())) / (1 << 20);
}
void load_galois_key(benchmark::State& state) {
  Setup& s = setup();
  KeyManifest manifest;
  manifest.add_rotation(1, s.c().max_level(), s.c().slots());
  const std::vector<std::byte> file = save_evaluation_keys(
      s.c(), generate_evaluation_keys(s.c(), s.secret, manifest, s.rng, s.pool));
  for (auto _ : state) benchmark::DoNotOptimize(load_evaluation_keys(s.c(), file, "key", s.pool));
  state.counters["file_MiB"] = double(file.size()) / (1 << 20);
}

BENCHMARK(encode_full)->Unit(benchmark::kMillisecond);
BENCHMARK(encode_period_2048)->Unit(benchmark::kMillisecond);
BENCHMARK(decode_full)->Unit(benchmark::kMillisecond);
BENCHMARK(encrypt)->Unit(benchmark::kMillisecond);
BENCHMARK(rotate_one)->Arg(11)->Arg(5)->Arg(1)->Unit(benchmark::kMillisecond);
BENCHMARK(rotate_hoisted_8)->Unit(benchmark::kMillisecond);
BENCHMARK(multiply_relin)->Unit(benchmark::kMillisecond);
BENCHMARK(rescale_one)->Unit(benchmark::kMillisecond);
BENCHMARK(multiply_plain_one)->Unit(benchmark::kMillisecond);
BENCHMARK(linear_32)->Arg(0)->Arg(2048)->Unit(benchmark::kMillisecond);
BENCHMARK(galois_key)->Unit(benchmark::kMillisecond);
BENCHMARK(load_galois_key)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sinter::ckks

BENCHMARK_MAIN();
