// SPDX-License-Identifier: Apache-2.0
// sinter expand-keys: the server's preparation. The keys that a client sent become a file twice as
// large that every later `infer` maps instead of expanding it again.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/serialize.h"
#include "cli/files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string program, keys, output;
  int threads = 1;
  bool json = false;
};

void run_expand_keys(const Options& o) {
  const std::string output = o.output.empty() ? ckks::expanded_path(o.keys).string() : o.output;
  require_output(output, {o.program, o.keys});
  const Timer timer;
  const LoadedProgram loaded = read_program(o.program);
  ThreadPool pool(o.threads);
  const auto file = MappedFile::open(o.keys);
  ProgressBar bar("expand-keys");
  ckks::expand_evaluation_keys(*loaded.context, file->bytes(), o.keys, output, pool,
                               bar.callback());
  const i64 before = std::ssize(file->bytes()), after = i64(std::filesystem::file_size(output));
  warn_if_insecure(loaded.context->params());
  if (o.json)
    return print(nlohmann::ordered_json{{"keys", o.keys},
                                        {"output", output},
                                        {"compressed_bytes", before},
                                        {"expanded_bytes", after},
                                        {"seconds", timer.wall_s()}}
                     .dump(2) +
                 "\n");
  print(fmt::format("{}: {} of keys become {}, {}\n", output, bytes_text(before), bytes_text(after),
                    seconds_text(timer.wall_s())));
}

}  // namespace

void add_expand_keys(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("expand-keys", "prepare evaluation keys for mapping (server)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("keys", o->keys, "evaluation keys made by `sinter keygen`")->required();
  command->add_option("-o,--output", o->output,
                      "write them here (default: KEYS.expanded, where infer finds them)");
  add_threads(*command, o->threads);
  add_json(*command, o->json);
  command->footer("Example:\n  sinter expand-keys net.sinter server.keys");
  command->callback([=] { run_expand_keys(*o); });
}

}  // namespace sinter::cli
