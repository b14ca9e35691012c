// SPDX-License-Identifier: Apache-2.0
// sinter infer: the server's step. It reads a program, evaluation keys and ciphertexts; the secret
// key's header cannot be included here (tools/check_layers.py), so nothing here can decrypt.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/timer.h"
#include "ckks/serialize.h"
#include "cli/files.h"
#include "cli/key_files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "encrypted/execute.h"

namespace sinter::cli {
namespace {

constexpr i64 kMiB = 1 << 20;

struct Options {
  std::string program, keys;
  std::vector<std::string> inputs, outputs;
  int threads = 1;
  i64 cache_mib = 1024;
  double bits = 0;
  bool json = false;
};

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
               "than the {:g} asked for: a larger log_scale would help\n",
               bits, asked);
  return bits;
}

void run_infer(const Options& o) {
  const std::vector<std::filesystem::path> outputs = output_paths(o);
  const LoadedProgram loaded = read_program(o.program);
  const encrypted::EncryptedProgram& program = *loaded.program;
  const ckks::Context& context = *loaded.context;
  ThreadPool pool(o.threads);
  const Timer load_timer;
  const ServerKeys server = read_evaluation_keys(context, o.keys, pool);
  const ckks::EvaluationKeys& keys = server.keys;
  const double load_s = load_timer.wall_s();

  // Diagonals encoded once serve every image; for a single one they would only take memory.
  encrypted::DiagonalCache cache(program, o.inputs.size() > 1 ? o.cache_mib * kMiB : 0);
  Table table({"<input", "<output", "level", "bytes", "time"});
  const double bits = predicted_bits(program, o.bits);
  nlohmann::ordered_json json = {{"keys_seconds", load_s},
                                 {"predicted_precision_bits", bits},
                                 {"keys_mapped", server.is_mapped},
                                 {"threads", o.threads}};
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Timer timer;
    ProgressBar bar(outputs.size() == 1 ? "infer"
                                        : fmt::format("infer {}/{}", i + 1, outputs.size()));
    const ckks::Ciphertext input = read_ciphertext(context, o.inputs[i]);
    const ckks::Ciphertext output = encrypted::execute(
        program, context, keys, input, pool, {.cache = &cache, .progress = bar.callback()});
    const i64 bytes = write_ciphertext(context, output, outputs[i]);
    table.add({o.inputs[i], outputs[i].string(), std::to_string(output.level()), bytes_text(bytes),
               seconds_text(timer.wall_s())});
    json["results"].push_back({{"input", o.inputs[i]},
                               {"output", outputs[i].string()},
                               {"bytes", bytes},
                               {"seconds", timer.wall_s()}});
  }
  warn_if_insecure(context.params());
  json["security"] = context.params().security_text();
  json["peak_memory_bytes"] = peak_memory_bytes();
  if (o.json) return print(json.dump(2) + "\n");
  print(table.text() + fmt::format("keys {} in {}, {} threads, peak memory {}\n",
                                   server.is_mapped ? "mapped" : "loaded", seconds_text(load_s),
                                   o.threads, bytes_text(peak_memory_bytes())));
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
  command
      ->add_option("--cache", o->cache_mib,
                   "MiB of encoded weights to keep when there are several ciphertexts")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command
      ->add_option("--bits", o->bits,
                   "warn when the result is predicted to have fewer bits of precision")
      ->check(CLI::NonNegativeNumber);
  add_threads(*command, o->threads);
  add_json(*command, o->json);
  command->footer("Example:\n  sinter infer net.sinter --keys server.keys input.ct -o output.ct");
  command->callback([=] { run_infer(*o); });
}

}  // namespace sinter::cli
