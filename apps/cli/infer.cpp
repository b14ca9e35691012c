// SPDX-License-Identifier: Apache-2.0
// sinter infer: the server's step. It reads a program, evaluation keys and ciphertexts; the secret
// key's header cannot be included here (tools/check_layers.py), so nothing here can decrypt.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/timer.h"
#include "ckks/serialize.h"
#include "cli/byte_size.h"
#include "cli/files.h"
#include "cli/infer_files.h"
#include "cli/infer_workers.h"
#include "cli/key_files.h"
#include "cli/progress_bar.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "encrypted/execute.h"
#include "encrypted/memory.h"

namespace sinter::cli {
namespace {

/// What is left to programs by default: an eighth is the system's and its cache of files.
i64 default_memory() { return machine_memory_bytes() / 8 * 7; }

struct Options {
  std::string program, keys, report, html;
  std::vector<std::string> inputs, outputs;
  int threads = 1;
  i64 memory = default_memory();
  i64 batch_size = 0;
  double bits = 0;
  bool json = false;
  WorkerSettings workers;
};

/// The reports must be no file that is read or written otherwise.
void check_reports(const Options& o, const std::vector<std::filesystem::path>& outputs) {
  std::vector<std::string> files = o.inputs;
  files.insert(files.end(), {o.program, o.keys, ckks::expanded_path(o.keys).string()});
  for (const auto& output : outputs) files.push_back(output.string());
  for (const std::string& path : {o.report, o.html}) {
    if (path.empty()) continue;
    require_output(path, files);
    files.push_back(path);
  }
}

/// One output per input: as named, or <input name>.out.ct in the one folder given.
std::vector<std::filesystem::path> output_paths(const Options& o) {
  std::error_code error;
  std::vector<std::filesystem::path> paths(o.outputs.begin(), o.outputs.end());
  if (o.outputs.size() == 1 && std::filesystem::is_directory(o.outputs[0], error)) {
    paths.clear();
    for (const std::string& input : o.inputs)
      paths.push_back(std::filesystem::path(o.outputs[0]) /
                      (std::filesystem::path(input).stem().string() + ".out.ct"));
  }
  require(paths.size() == o.inputs.size(), ErrorKind::bad_argument, "infer: ", o.inputs.size(),
          " ciphertexts and ", o.outputs.size(),
          " outputs: expected one -o per ciphertext, or one existing folder");
  for (size_t i = 0; i < paths.size(); ++i) {
    std::vector<std::string> files = o.inputs;
    files.insert(files.end(), {o.program, o.keys, ckks::expanded_path(o.keys).string()});
    require_output(paths[i], files);
    for (size_t j = 0; j < i; ++j)
      require(!is_same_file(paths[i], paths[j]), ErrorKind::bad_argument,
              "infer: two results would go to ", paths[i].string(), ": expected different names");
  }
  check_reports(o, paths);
  return paths;
}

/// Bits that the program predicts for its result, relative to the largest that it had on the
/// calibration data, as compile reports them; warns when they are fewer than asked for. 0 when the
/// program does not say.
double predicted_bits(const encrypted::EncryptedProgram& program, double asked) {
  const double bits = program.output_bits();
  if (bits == 0) {
    if (asked > 0)
      fmt::print(stderr, "sinter: warning: the program does not predict its precision\n");
    return 0;
  }
  if (bits < asked)
    fmt::print(stderr,
               "sinter: warning: the result is predicted to have {:.1f} bits of precision, fewer "
               "than the {:g} asked for: `sinter compile --bits {:g}` looks for a plan that keeps "
               "them\n",
               bits, asked, std::min(asked, 60.0));
  return bits;
}

/// Everything that stays from one group of runs to the next.
class Server {
 public:
  Server(const Options& o, std::vector<std::filesystem::path> outputs)
      : loaded_(read_program(o.program)),
        files_(loaded_, o.inputs, std::move(outputs)),
        pool_(o.threads),
        keys_(read_keys(o.keys)) {
    const ResidentMemory now = resident_memory();
    plan_ = encrypted::plan_memory(
        program(), {o.memory, now.anonymous_bytes + (keys_.is_mapped ? 0 : now.file_bytes),
                    keys_.is_mapped, keys_.keys.manifest(), files_.runs(), o.batch_size});
    cache_.emplace(program(), plan_.cache_bytes);
    bootstrappers_.emplace(program(), context());
    if (keys_.is_mapped) window_.emplace(program(), context(), keys_.keys, plan_.key_bytes, true);
  }

  const encrypted::EncryptedProgram& program() const { return *loaded_.program; }
  const ckks::Context& context() const { return *loaded_.context; }
  const encrypted::MemoryPlan& plan() const { return plan_; }
  InferFiles& files() { return files_; }
  bool is_mapped() const { return keys_.is_mapped; }
  double keys_seconds() const { return keys_seconds_; }

  /// The results of the runs [first, end).
  std::vector<ckks::Ciphertext> run(i64 first, i64 end, const Progress& progress,
                                    std::function<void(const encrypted::Measured&)> observe) {
    std::vector<ckks::Ciphertext> inputs;
    for (i64 run = first; run < end; ++run)
      for (ckks::Ciphertext& one : files_.run(run)) inputs.push_back(std::move(one));
    if (window_) window_->set_repeats(end < files_.runs());
    return encrypted::execute_batch(program(), context(), keys_.keys, inputs, pool_,
                                    {.cache = &*cache_,
                                     .progress = progress,
                                     .bootstrappers = &*bootstrappers_,
                                     .observe = std::move(observe),
                                     .window = window_ ? &*window_ : nullptr,
                                     .linear = {plan_.work_bytes}});
  }

 private:
  ServerKeys read_keys(const std::string& path) {
    const Timer timer;
    ServerKeys keys = read_evaluation_keys(context(), path, pool_);
    keys_seconds_ = timer.wall_s();
    return keys;
  }

  LoadedProgram loaded_;
  InferFiles files_;
  ThreadPool pool_;
  double keys_seconds_ = 0;
  ServerKeys keys_;
  encrypted::MemoryPlan plan_;
  std::optional<encrypted::DiagonalCache> cache_;
  std::optional<encrypted::Bootstrappers> bootstrappers_;
  std::optional<encrypted::KeyWindow> window_;
};

/// "infer", or which of the runs are on their way.
std::string bar_title(i64 first, i64 end, i64 count) {
  if (count == 1) return "infer";
  if (end - first == 1) return fmt::format("infer {}/{}", end, count);
  return fmt::format("infer {}-{}/{}", first + 1, end, count);
}

/// All runs, group by group; a group's time is shared equally by its runs.
void run_groups(Server& server, RunRecorder* recorder, Table& table, nlohmann::ordered_json& json) {
  const i64 count = server.files().runs(), together = server.plan().images;
  double since = 0;  // seconds of runs whose file is not complete
  for (i64 first = 0; first < count; first += together) {
    const i64 end = std::min(count, first + together);
    const Timer timer;
    ProgressBar bar(bar_title(first, end, count));
    std::vector<ckks::Ciphertext> results = server.run(
        first, end, bar.callback(), recorder == nullptr ? nullptr : recorder->callback());
    const double seconds = timer.wall_s(), each = seconds / double(end - first);
    std::string last;
    for (i64 run = first; run < end; ++run) {
      since += each;
      const auto file = server.files().add(run, std::move(results[size_t(run - first)]));
      if (!file) continue;
      table.add({file->input, count_text(file->images), file->output, std::to_string(file->level),
                 bytes_text(file->bytes), seconds_text(since)});
      json["results"].push_back({{"input", file->input},
                                 {"images", file->images},
                                 {"output", file->output},
                                 {"bytes", file->bytes},
                                 {"seconds", since}});
      since = 0;
      last = file->input;
    }
    if (recorder != nullptr)
      recorder->finish(last.empty() ? fmt::format("runs {} to {}", first + 1, end) : last, seconds,
                       timer.cpu_s(), end - first);
  }
}

void run_infer(const Options& o) {
  if (o.workers.is_used())
    return infer_on_workers({o.program, o.keys, o.inputs, [&] { return output_paths(o); },
                             o.workers, o.threads, o.memory, o.json, o.report, o.html});
  const std::vector<std::filesystem::path> outputs = output_paths(o);
  Server server(o, outputs);
  const encrypted::MemoryPlan& plan = server.plan();
  Table table({"<input", "images", "<output", "level", "bytes", "time"});
  nlohmann::ordered_json json = {
      {"keys_seconds", server.keys_seconds()},
      {"predicted_precision_bits", predicted_bits(server.program(), o.bits)},
      {"keys_mapped", server.is_mapped()},
      {"threads", o.threads},
      {"runs_at_a_time", plan.images},
      {"predicted_peak_bytes", plan.peak_bytes}};
  RunRecorder recorder(server.program());
  const bool is_recorded = !o.report.empty() || !o.html.empty();
  run_groups(server, is_recorded ? &recorder : nullptr, table, json);
  warn_if_insecure(server.context().params());
  json["security"] = server.context().params().security_text();
  json["peak_memory_bytes"] = peak_memory_bytes();
  if (is_recorded) {
    nlohmann::ordered_json report =
        plan_report(server.program(), encrypted::explain_program(server.program()), o.program);
    report.update(json);
    recorder.add_to(report);
    write_report(report, o.report, o.html);
  }
  if (o.json) return print(json.dump(2) + "\n");
  print(table.text() + fmt::format("keys {} in {}, {} threads, {} at a time, peak memory {}\n",
                                   server.is_mapped() ? "mapped" : "loaded",
                                   seconds_text(server.keys_seconds()), o.threads, plan.images,
                                   bytes_text(peak_memory_bytes())));
}

}  // namespace

void add_infer(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("infer", "run a program on ciphertexts (server)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("inputs", o->inputs, "ciphertexts made by `sinter encrypt`")->required();
  command->add_option("--keys", o->keys, "evaluation keys made by `sinter keygen`")->required();
  command
      ->add_option("-o,--output", o->outputs,
                   "write the result here; once per ciphertext, or one folder for all")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_byte_size(
      *command, "--memory", o->memory,
      "memory that may be used, e.g. 16G: resident pages of mapped keys, encoded weights, "
      "ciphertexts and all else, of all workers together; by default 7/8 of the machine's, here " +
          bytes_text(o->memory));
  command
      ->add_option(
          "--batch-size", o->batch_size,
          "runs of the program computed together, which share the encoding of weights; 0 = as "
          "many as the memory allows, at most 8")
      ->check(between(0, 1024))
      ->capture_default_str();
  command
      ->add_option("--bits", o->bits,
                   "warn when the result is predicted to have fewer bits of precision")
      ->check(at_least(0));
  command->add_option("--report", o->report,
                      "write time and memory of every instruction here, as JSON");
  command->add_option("--html", o->html, "write the same as a page to look at here, one file");
  add_worker_options(*command, o->workers);
  add_threads(*command, o->threads);
  add_json(*command, o->json);
  command->footer("Example:\n  sinter infer net.sinter --keys server.keys input.ct -o output.ct");
  command->callback([=] {
    if (o->workers.workers > 0 && command->count("--threads") == 0)
      o->threads = std::max(1, o->threads / o->workers.workers);
    run_infer(*o);
  });
}

}  // namespace sinter::cli
