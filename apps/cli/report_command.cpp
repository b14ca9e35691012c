// SPDX-License-Identifier: Apache-2.0
// sinter report: the page of documents that `compile --json` and `infer --report` wrote, later and
// elsewhere. A second document adds what the first does not have: measured by the one, merged and
// compared by the other.
#include "base/error.h"
#include "base/file.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/report_view.h"
#include "cli/verbs.h"

namespace sinter::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> documents;
  std::string output;
};

Json read_document(const std::string& path) {
  const auto file = MappedFile::open(path);
  return parse_report(file->bytes(), path);
}

void run_report(const Options& o) {
  require_output(o.output, o.documents);
  Json report = read_document(o.documents[0]);
  for (size_t d = 1; d < o.documents.size(); ++d) {
    Json other = read_document(o.documents[d]);
    const std::string hash = text_at(report, "program_hash");
    require(text_at(other, "program_hash") == hash, ErrorKind::bad_argument, o.documents[d],
            ": is about program ", text_at(other, "program_hash"), ", ", o.documents[0],
            " about program ", hash, ": expected reports of one program");
    for (auto& [key, value] : other.items())
      if (!report.contains(key)) report[key] = std::move(value);
  }
  write_report(report, "", o.output);
}

}  // namespace

void add_report(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "make a page from reports in JSON");
  command
      ->add_option("documents", o->documents,
                   "JSON of compile --json, infer --report or debug --json, of one program")
      ->required();
  command->add_option("-o,--output", o->output, "write the page here")->required();
  command->footer(
      "Example:\n  sinter report run.json plan.json -o report.html    (measured, then planned)");
  command->callback([=] { run_report(*o); });
}

}  // namespace sinter::cli
