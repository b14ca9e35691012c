// SPDX-License-Identifier: Apache-2.0
// sinter keygen: the client's secret key and the evaluation keys that a program's server needs.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/secret_key.h"
#include "ckks/serialize.h"
#include "cli/files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string program, secret, eval;
  int threads = 1;
  bool force = false, json = false;
};

void refuse_overwrite(const std::string& path) {
  std::error_code error;
  require(!std::filesystem::exists(path, error), ErrorKind::bad_argument, path,
          ": exists already; a lost secret key cannot be made again: choose another name, or "
          "replace it with --force");
}

/// Only the owner may read what is created while this lives. (The umask is the process's: keygen
/// writes one file at a time.)
class PrivateFiles {
 public:
  PrivateFiles() : before_(::umask(0077)) {}
  ~PrivateFiles() { ::umask(before_); }
  PrivateFiles(const PrivateFiles&) = delete;
  PrivateFiles& operator=(const PrivateFiles&) = delete;

 private:
  mode_t before_;
};

void run_keygen(const Options& o) {
  require(std::filesystem::path(o.secret).lexically_normal() !=
              std::filesystem::path(o.eval).lexically_normal(),
          ErrorKind::bad_argument, "keygen: --secret and --eval name the same file ", o.eval);
  for (const std::string& path : {o.secret, o.eval}) {
    if (!o.force) refuse_overwrite(path);
    require_writable(path);
  }
  const Timer timer;
  const LoadedProgram loaded = read_program(o.program);
  const ckks::Context& context = *loaded.context;
  const ckks::KeyManifest& manifest = loaded.program->keys;
  ThreadPool pool(o.threads);
  ring::SecretRng rng;
  const ckks::SecretKey secret = ckks::generate_secret_key(context, rng);
  {
    ProgressBar bar("keygen");
    const ckks::EvaluationKeys keys =
        ckks::generate_evaluation_keys(context, secret, manifest, rng, pool, bar.callback());
    ckks::save_evaluation_keys(context, keys, o.eval, bar.callback());
  }
  try {
    const PrivateFiles guard;
    write_file(o.secret, ckks::save_secret_key(context, secret));
  } catch (...) {  // evaluation keys without their secret are of no use
    std::error_code ignored;
    std::filesystem::remove(o.eval, ignored);
    throw;
  }
  const i64 bytes = i64(std::filesystem::file_size(o.eval));
  if (o.json)
    return print(nlohmann::ordered_json{{"secret", o.secret},
                                        {"eval", o.eval},
                                        {"eval_bytes", bytes},
                                        {"keys", manifest.key_count()},
                                        {"rotation_keys", manifest.rotations.size()},
                                        {"log2_qp", context.params().log2_qp()},
                                        {"security", context.params().security_text()},
                                        {"seconds", timer.wall_s()}}
                     .dump(2) +
                 "\n");
  print(fmt::format(
      "security  {}\nsecret    {}: stays with the client; nobody else may read it\n"
      "server    {}: {} keys, {}; goes to the server with {}\ntime      {}\n",
      context.params().security_text(), o.secret, o.eval, count_text(manifest.key_count()),
      bytes_text(bytes), o.program, seconds_text(timer.wall_s())));
}

}  // namespace

void add_keygen(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("keygen", "make the keys of a compiled program");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("--secret", o->secret, "write the client's secret key here (mode 0600)")
      ->required();
  command->add_option("--eval", o->eval, "write the server's evaluation keys here")->required();
  command->add_flag("--force", o->force, "replace existing files");
  add_threads(*command, o->threads);
  add_json(*command, o->json);
  command->footer("Example:\n  sinter keygen net.sinter --secret client.key --eval server.keys");
  command->callback([=] { run_keygen(*o); });
}

}  // namespace sinter::cli
