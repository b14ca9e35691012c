// SPDX-License-Identifier: Apache-2.0
// Bootstrapping with a preset: seconds by step, precision over random vectors, keys, memory, as one
// line of JSON.
//
//   ckks_bootstrap_bench [--preset fast] [--log-slots 0] [--threads 1] [--vectors 10] [--log-n 16]
//                        [--budget-mib 1024] [--secret sparse|ternary] [--factors 0]
//
// log-slots 0: all N/2. factors: of the transform to slots; 0 = the preset's, 3 up to 2^12 slots. A
// ring other than the preset's 2^16 claims no security. The seconds are those of the median vector;
// CPU seconds are those of all threads.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "base/timer.h"
#include "ckks/bootstrap.h"
#include "ckks/encoder.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"
#include "pin.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;

struct Request {
  std::string preset = "fast", secret = "sparse";
  i64 log_n = 16, log_slots = 0, threads = 1, vectors = 10, budget_mib = 1024, factors = 0;
};

Request parse(int argc, char** argv) {
  Request r;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    require(i + 1 < argc, ErrorKind::bad_argument, "expected a value after ", name);
    const char* value = argv[i + 1];
    if (name == "--preset" || name == "--secret") {
      (name == "--preset" ? r.preset : r.secret) = value;
      continue;
    }
    i64* number = name == "--log-n"        ? &r.log_n
                  : name == "--log-slots"  ? &r.log_slots
                  : name == "--threads"    ? &r.threads
                  : name == "--vectors"    ? &r.vectors
                  : name == "--factors"    ? &r.factors
                  : name == "--budget-mib" ? &r.budget_mib
                                           : nullptr;
    require(number != nullptr, ErrorKind::bad_argument, "unknown option ", name);
    *number = std::strtoll(value, nullptr, 10);
  }
  require(r.vectors >= 1, ErrorKind::bad_argument, "expected at least one vector");
  return r;
}

/// Wall and CPU seconds of the four steps.
struct Times {
  double wall_s[4] = {}, cpu_s[4] = {};
  double wall_total() const { return wall_s[0] + wall_s[1] + wall_s[2] + wall_s[3]; }
  double cpu_total() const { return cpu_s[0] + cpu_s[1] + cpu_s[2] + cpu_s[3]; }
};

/// The lower one in the middle, by `total`.
Times median(std::vector<Times> all, double (Times::*total)() const) {
  const auto middle = all.begin() + (std::ssize(all) - 1) / 2;
  std::nth_element(all.begin(), middle, all.end(),
                   [&](const Times& x, const Times& y) { return (x.*total)() < (y.*total)(); });
  return *middle;
}

/// Bootstrapper::bootstrap step by step.
Ciphertext timed(const Bootstrapper& b, const Ciphertext& x, const EvaluationKeys& keys,
                 ThreadPool& pool, Times& times) {
  Timer timer;
  int step = 0;
  const auto lap = [&] {
    times.wall_s[step] = timer.wall_s();
    times.cpu_s[step++] = timer.cpu_s();
    timer = Timer();
  };
  Ciphertext raised = b.raise(x, keys, pool);
  lap();
  std::vector<Ciphertext> parts = b.to_slots(raised, keys, pool);
  raised = Ciphertext();
  lap();
  for (Ciphertext& part : parts) part = b.sine(part, keys, pool);
  lap();
  Ciphertext out = b.to_coefficients(std::move(parts), x.scale(), keys, pool);
  lap();
  return out;
}

/// `period` random values of [-1, 1] + i [-1, 1] over all slots.
std::vector<Complex> random_values(Rng& rng, i64 slots, i64 period) {
  std::vector<Complex> out(static_cast<size_t>(slots));
  for (i64 i = 0; i < slots; ++i)
    out[size_t(i)] =
        i < period ? Complex(rng.uniform(-1, 1), rng.uniform(-1, 1)) : out[size_t(i - period)];
  return out;
}

void run(const Request& r) {
  BootstrapPreset preset = bootstrap_preset(r.preset);
  if (preset.params.log_n != r.log_n) preset.params.security = Security::none_for_tests;
  preset.params.log_n = r.log_n;
  if (r.secret == "ternary") preset.params.secret = SecretKind::ternary;
  preset.options.slots = r.log_slots == 0 ? 0 : i64(1) << r.log_slots;
  preset.options.memory_budget = r.budget_mib << 20;
  const int factors = preset.options.to_slots_levels, used = r.factors > 0 ? int(r.factors)
                                                             : r.log_slots > 0 && r.log_slots <= 12
                                                                 ? 3
                                                                 : factors;
  preset.options.to_slots_levels = used;
  preset.options.raise_level = int(preset.params.log_q.size()) - 1 - (factors - used);
  const auto context = Context::create(CkksParams::check(preset.params));
  const CkksParams& params = context->params();
  ThreadPool pool(r.threads);
  bench::pin_workers(pool);
  ring::SecretRng secret_rng(ring::Seed{1});
  const SecretKey secret = generate_secret_key(*context, secret_rng);
  const Timer setup;
  const auto bootstrapper = Bootstrapper::create(context, preset.options, pool);
  const double setup_s = setup.wall_s();
  const EvaluationKeys keys =
      generate_evaluation_keys(*context, secret, bootstrapper->manifest(), secret_rng, pool);
  Rng rng(7);
  std::vector<Times> all;
  double bits_mean = 0, bits_min = 60;
  for (i64 v = 0; v < r.vectors; ++v) {
    const std::vector<Complex> values =
        random_values(rng, params.slots(), bootstrapper->options().slots);
    const Ciphertext x = encrypt_symmetric(
        *context, secret, encode(*context, std::span<const Complex>(values), params.scale(), 0),
        secret_rng);
    Times times;
    const Ciphertext y = timed(*bootstrapper, x, keys, pool, times);
    all.push_back(times);
    const Precision p = compare(decode_complex(*context, decrypt(*context, secret, y)), values);
    bits_mean += p.bits_mean / double(r.vectors);
    bits_min = std::min(bits_min, p.bits_min);
    std::fprintf(stderr, "%.3f s wall, %.3f s CPU (%.3f, %.3f, %.3f, %.3f), %s\n",
                 times.wall_total(), times.cpu_total(), times.cpu_s[0], times.cpu_s[1],
                 times.cpu_s[2], times.cpu_s[3], p.text().c_str());
  }
  const Times by_cpu = median(all, &Times::cpu_total), by_clock = median(all, &Times::wall_total);
  const auto print = [](const char* name, auto value) {
    std::ostringstream text;
    text.precision(10);
    text << value;
    std::printf("\"%s\": %s, ", name, text.str().c_str());
  };
  std::printf("{\"preset\": \"%s\", ", r.preset.c_str());
  print("log_n", r.log_n);
  print("log2_qp", params.log2_qp());
  print("slots", bootstrapper->options().slots);
  print("threads", r.threads);
  print("vectors", r.vectors);
  print("cpu_seconds", by_cpu.cpu_total());
  print("raise_cpu_s", by_cpu.cpu_s[0]);
  print("to_slots_cpu_s", by_cpu.cpu_s[1]);
  print("sine_cpu_s", by_cpu.cpu_s[2]);
  print("to_coefficients_cpu_s", by_cpu.cpu_s[3]);
  print("wall_seconds", by_clock.wall_total());
  print("raise_wall_s", by_clock.wall_s[0]);
  print("to_slots_wall_s", by_clock.wall_s[1]);
  print("sine_wall_s", by_clock.wall_s[2]);
  print("to_coefficients_wall_s", by_clock.wall_s[3]);
  print("bits_mean", bits_mean);
  print("bits_min", bits_min);
  print("levels_left", bootstrapper->output_level());
  print("log2_failure", bootstrapper->log2_failure());
  print("key_count", keys.manifest().key_count());
  print("key_bytes", keys.bytes());
  print("encoded_bytes", bootstrapper->encoded_bytes());
  print("setup_s", setup_s);
  print("peak_rss_bytes", peak_memory_bytes());
  std::printf("\"security\": \"%s\"}\n", params.security_text().c_str());
}

}  // namespace
}  // namespace sinter::ckks

int main(int argc, char** argv) {
  try {
    sinter::ckks::run(sinter::ckks::parse(argc, argv));
    return 0;
  } catch (const sinter::Error& e) {
    std::fprintf(stderr, "ckks_bootstrap_bench: %s\n", e.what());
    return 10 + int(e.kind());
  }
}
