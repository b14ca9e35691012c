// SPDX-License-Identifier: Apache-2.0
// Times of the CKKS engine on the instruction set that SINTER_ISA names. One group of rows a call;
// bench/ckks/ckks.py calls it for every group and instruction set in turns and prints the table.
//
//   ckks_bench GROUP [--seconds S] [--rows NAME,NAME] [--one-thread]   JSON on standard output
//   ckks_bench profile                                                 where a rotation's time goes
//
// GROUP is transforms, operations_16, operations_15, network, matrix or keys. The forms of a row
// (one thread, two threads, textbook) are run in turns until S seconds have gone, at least twice
// each, after one run that is not counted.
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/cpu.h"
#include "base/error.h"
#include "base/timer.h"
#include "ckks/rows.h"
#include "pin.h"

namespace sinter::bench {
namespace {

constexpr double kShortest = 5e-3;  // seconds of a sample: shorter work is repeated
constexpr size_t kFewest = 2, kMost = 50;

struct Options {
  std::string group, rows;
  double seconds = 1;
  bool one_thread = false;
};

/// One form of a row with what it has taken so far, in milliseconds a run.
struct Form {
  std::string key;
  std::function<void()> work;
  int repeats = 1;
  std::vector<double> cpu_ms = {}, wall_ms = {};

  void prepare() {
    work();
    const Timer timer;
    work();
    repeats = std::max(1, int(std::ceil(kShortest / std::max(timer.cpu_s(), 1e-7))));
  }
  void sample() {
    const Timer timer;
    for (int i = 0; i < repeats; ++i) work();
    cpu_ms.push_back(1e3 * timer.cpu_s() / repeats);
    wall_ms.push_back(1e3 * timer.wall_s() / repeats);
  }
};

nlohmann::ordered_json measure(const Row& row, const Options& options, ThreadPool& two) {
  ThreadPool one(1);
  std::vector<Form> forms = {{"1", [&] { row.run(one); }}};
  if (row.two_threads && !options.one_thread) forms.push_back({"2", [&] { row.run(two); }});
  if (row.textbook) forms.push_back({"textbook", row.textbook});
  for (Form& form : forms) form.prepare();
  const Timer timer;
  while (forms[0].cpu_ms.size() < kFewest ||
         (timer.wall_s() < options.seconds && forms[0].cpu_ms.size() < kMost))
    for (Form& form : forms) form.sample();
  nlohmann::ordered_json result = {{"operation", row.operation}, {"parameters", row.parameters}};
  if (row.butterflies > 0) result["butterflies"] = row.butterflies;
  if (row.precision) {
    const ckks::Precision precision = row.precision();
    result["precision"] = {{"min", precision.bits_min}, {"mean", precision.bits_mean}};
  }
  for (const Form& form : forms)
    result["forms"][form.key] = {{"cpu_ms", form.cpu_ms}, {"wall_ms", form.wall_ms}};
  return result;
}

bool is_wanted(const std::string& name, const std::string& list) {
  return list.empty() || ("," + list + ",").find("," + name + ",") != std::string::npos;
}

int run(const Options& options) {
  const std::map<std::string, std::function<std::vector<Row>()>> groups = {
      {"transforms", transform_rows},
      {"operations_16", [] { return operation_rows(16); }},
      {"operations_15", [] { return operation_rows(15); }},
      {"network", network_rows},
      {"matrix", matrix_rows},
  };
  nlohmann::ordered_json out = {{"isa", name(active_isa())},
                                {"rows", nlohmann::ordered_json::object()}};
  if (options.group == "profile") {
    print_rotation_profile();
    return 0;
  }
  if (options.group == "keys") {
    for (const Fact& f : key_facts())
      out["rows"][f.name] = {{"operation", f.operation},
                             {"parameters", f.parameters},
                             {"value", f.value},
                             {"unit", f.unit}};
  } else {
    const auto group = groups.find(options.group);
    require(group != groups.end(), ErrorKind::bad_argument, "ckks_bench: no group ", options.group);
    ThreadPool two(2);
    if (!options.one_thread) pin_workers(two);
    for (const Row& row : group->second())
      if (is_wanted(row.name, options.rows)) out["rows"][row.name] = measure(row, options, two);
  }
  out["peak_memory_bytes"] = peak_memory_bytes();
  std::printf("%s\n", out.dump(1).c_str());
  return 0;
}

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const bool has_value = i + 1 < count;
    if (word == "--one-thread")
      options.one_thread = true;
    else if (word == "--seconds" && has_value)
      options.seconds = std::stod(words[++i]);
    else if (word == "--rows" && has_value)
      options.rows = words[++i];
    else
      options.group = word;
  }
  return options;
}

}  // namespace
}  // namespace sinter::bench

int main(int count, char** words) {
  try {
    return sinter::bench::run(sinter::bench::parse(count, words));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
