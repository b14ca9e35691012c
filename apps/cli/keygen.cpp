// SPDX-License-Identifier: Apache-2.0
// sinter keygen: the client's secret key and the evaluation keys that a program's server needs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
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

/// Bytes that are overwritten when they are no longer needed.
class WipedBytes {
 public:
  explicit WipedBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  ~WipedBytes() { ring::wipe({reinterpret_cast<signed char*>(bytes_.data()), bytes_.size()}); }
  WipedBytes(const WipedBytes&) = delete;
  WipedBytes& operator=(const WipedBytes&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// A name beside `path` that nobody else has; its file is removed at the end unless moved away.
class SpareName {
 public:
  explicit SpareName(const std::string& path) : name_(path + ".XXXXXX") {
    const int fd = ::mkostemp(name_.data(), O_CLOEXEC);
    require(fd >= 0, ErrorKind::io, path, ": cannot write: ", std::strerror(errno));
    ::close(fd);
  }
  ~SpareName() { ::unlink(name_.c_str()); }
  SpareName(const SpareName&) = delete;
  SpareName& operator=(const SpareName&) = delete;

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

void move_file(const std::string& from, const std::string& to) {
  require(::rename(from.c_str(), to.c_str()) == 0, ErrorKind::io, to,
          ": cannot write: ", std::strerror(errno));
}

/// Puts both files in place, or neither: when the secret key cannot be put in its place, the
/// evaluation keys that were there before come back.
void commit(AtomicFile& secret, const Options& o, const SpareName& eval) {
  const SpareName spare(o.eval);
  std::error_code error;
  const bool had_keys = std::filesystem::exists(o.eval, error);
  if (had_keys) move_file(o.eval, spare.name());
  try {
    move_file(eval.name(), o.eval);
    const PrivateFiles guard;
    secret.commit();
  } catch (...) {
    std::filesystem::remove(o.eval, error);
    if (had_keys) move_file(spare.name(), o.eval);
    throw;
  }
}

void check_outputs(const Options& o) {
  require(!is_same_file(o.secret, o.eval), ErrorKind::bad_argument,
          "keygen: --secret and --eval name the same file ", o.eval);
  for (const std::string& path : {o.secret, o.eval}) {
    refuse_same_file(path, {o.program});
    if (!o.force) refuse_overwrite(path);
    require_writable(path);
  }
  refuse_secret_key(o.eval);  // --force replaces a secret key by a secret key only
}

void run_keygen(const Options& o) {
  check_outputs(o);
  const Timer timer;
  const LoadedProgram loaded = read_program(o.program);
  const ckks::Context& context = *loaded.context;
  const ckks::KeyManifest& manifest = loaded.program->keys;
  ThreadPool pool(o.threads);
  ring::SecretRng rng;
  const ckks::SecretKey secret = ckks::generate_secret_key(context, rng);
  AtomicFile secret_file(o.secret);  // mode 0600 from its first byte on
  const SpareName eval_file(o.eval);
  secret_file.write(WipedBytes(ckks::save_secret_key(context, secret)).bytes());
  {
    ProgressBar bar("keygen");
    ckks::generate_evaluation_key_file(context, secret, manifest, rng, eval_file.name(), pool,
                                       bar.callback());
  }
  commit(secret_file, o, eval_file);
  warn_if_insecure(context.params());
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
