// SPDX-License-Identifier: Apache-2.0
// The `sinter` command: reads the command line, runs one command, and is the only place where an
// Error becomes a message on stderr and an exit code.
//
//   0        done
//   2        the command line itself is wrong
//   10 + k   Error of kind k (base/error.h): 10 bad argument, 11 bad input, 12 unsupported,
//            13 out of levels, 14 files, 15 internal
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/timer.h"
#include "cli/files.h"
#include "cli/infer_workers.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace sinter::cli {
namespace {

constexpr int kUsageError = 2, kFirstError = 10;

using AddVerb = void (*)(CLI::App&);
constexpr AddVerb kVerbs[] = {
    add_inspect,     add_optimize, add_verify, add_run,     add_calibrate, add_compile, add_keygen,
    add_expand_keys, add_encrypt,  add_infer,  add_decrypt, add_report,    add_debug,   add_worker};

/// What to do next, by command and kind of error; "" stands for every command.
struct Hint {
  std::string_view verb;
  ErrorKind kind;
  std::string_view text;
};
constexpr Hint kHints[] = {
    {"run", ErrorKind::bad_argument,
     "`sinter inspect MODEL` lists the inputs, their types and shapes"},
    {"optimize", ErrorKind::bad_argument, "`sinter optimize --list` lists the passes"},
    {"compile", ErrorKind::out_of_levels,
     "`sinter compile ... --explain` without -o prints the level table of this network"},
    {"compile", ErrorKind::bad_input, "check the model and the values of the --data file"},
    {"compile", ErrorKind::unsupported, "docs/encrypted.md says what has an encrypted form"},
    {"compile", ErrorKind::bad_argument,
     "the parameters are those of the --config file; docs/cli.md describes its keys"},
    {"keygen", ErrorKind::bad_argument, "`sinter keygen --help` shows the options"},
    {"encrypt", ErrorKind::bad_argument,
     "use the key that `sinter keygen` made for this program, an input of its shape and an output "
     "of its own"},
    {"infer", ErrorKind::bad_argument,
     "keys and ciphertexts must be made with this very program; `sinter infer --help` has an "
     "example"},
    {"infer", ErrorKind::io,
     "check paths, free space and permissions; workers that are lost mostly lack memory: use fewer "
     "or a smaller --memory"},
    {"decrypt", ErrorKind::bad_argument,
     "use the program and the client key that the ciphertext was made with"},
    {"", ErrorKind::bad_argument, "`sinter COMMAND --help` shows the options and an example"},
    {"", ErrorKind::bad_input, "the file is damaged or of another kind; copy or make it again"},
    {"", ErrorKind::unsupported, "`sinter inspect --operators` lists what is supported"},
    {"", ErrorKind::out_of_levels, "use a larger log_n or fewer layers"},
    {"", ErrorKind::io, "check the path, the free space and the permissions"},
    {"", ErrorKind::internal, "this is a bug in sinter; please report it with the command line"},
};

void report(const std::string& verb, ErrorKind kind, std::string message) {
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  fmt::print(stderr, "sinter: error: {}\n", printable(std::move(message)));
  for (const Hint& hint : kHints)
    if (hint.kind == kind && (hint.verb == verb || hint.verb.empty())) {
      fmt::print(stderr, "sinter: hint: {}\n", hint.text);
      break;
    }
}

/// CLI11 answers an unknown command with "a subcommand is required"; this names it.
std::string usage_message(const CLI::App& app, const CLI::ParseError& e, const std::string& verb,
                          int argc, char** argv) {
  if (!verb.empty()) return e.what();
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_group().empty()) names += (names.empty() ? "" : ", ") + command->get_name();
  if (argc > 1 && argv[1][0] != '-')
    return fmt::format("unknown command '{}': expected one of {}", argv[1], names);
  return argc > 1 ? e.what() : fmt::format("expected a command: one of {}", names);
}

int parse_and_run(CLI::App& app, int argc, char** argv) {
  std::string verb;
  const auto name_verb = [&] {
    for (const CLI::App* command : app.get_subcommands()) verb = command->get_name();
  };
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    name_verb();
    fmt::print(stderr, "sinter: error: {}\n", usage_message(app, e, verb, argc, argv));
    fmt::print(stderr, "sinter: hint: `sinter {}--help` shows the options and an example\n",
               verb.empty() ? "" : verb + " ");
    return kUsageError;
  } catch (const Error& e) {
    name_verb();
    report(verb, e.kind(), e.what());
    return kFirstError + int(e.kind());
  } catch (const std::bad_alloc&) {
    name_verb();
    report(verb, ErrorKind::internal, "out of memory");
    return kFirstError + int(ErrorKind::internal);
  } catch (const std::exception& e) {
    name_verb();
    report(verb, ErrorKind::internal, e.what());
    return kFirstError + int(ErrorKind::internal);
  }
}

/// Asked before the command runs: --stats must be none of the files that the command names, with or
/// without "NAME=" before the path.
void check_stats_path(const std::string& path, const CLI::App& app) {
  std::vector<std::string> named;
  for (const CLI::App* command : app.get_subcommands())
    for (const CLI::Option* option : command->get_options())
      for (const std::string& text : option->results()) {
        named.push_back(text);
        named.push_back(text.substr(text.find('=') + 1));  // npos + 1 is the whole text
      }
  require_output(path, named);
}

/// --stats: what the command cost, for scripts.
int write_stats(const std::string& path, const CLI::App& app, const Timer& timer, int code) {
  nlohmann::ordered_json stats;
  stats["command"] = "";
  for (const CLI::App* command : app.get_subcommands()) stats["command"] = command->get_name();
  stats["seconds"] = timer.wall_s();
  stats["cpu_seconds"] = timer.cpu_s();
  stats["peak_memory_bytes"] = peak_memory_bytes();
  stats["exit_code"] = code;
  const std::string text = stats.dump(2) + "\n";
  try {
    write_file(path, std::as_bytes(std::span(text)));
  } catch (const Error& e) {
    report("", e.kind(), e.what());
    return code == 0 ? kFirstError + int(e.kind()) : code;
  }
  return code;
}

int run(int argc, char** argv) {
  const Timer timer;
  CLI::App app{"sinter: fuses trained networks and runs them in float32 or encrypted under CKKS",
               "sinter"};
  app.set_version_flag("--version", "sinter " SINTER_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Exit codes: 0 done, 2 wrong command line, 10 bad argument, 11 bad input, 12 "
      "unsupported,\n13 out of levels, 14 file error, 15 internal error. Manual: "
      "docs/cli.md");
  std::string stats_path;
  app.add_option("--stats", stats_path, "write seconds and peak memory as JSON to this file");
  for (AddVerb add : kVerbs) add(app);
  bool writes_stats = false;  // a command line that is wrong writes nothing
  app.parse_complete_callback([&] {
    if (stats_path.empty()) return;
    check_stats_path(stats_path, app);
    writes_stats = true;
  });
  const int code = parse_and_run(app, argc, argv);
  return !writes_stats ? code : write_stats(stats_path, app, timer, code);
}

}  // namespace
}  // namespace sinter::cli

int main(int argc, char** argv) { return sinter::cli::run(argc, argv); }
