// SPDX-License-Identifier: Apache-2.0
// sinter calibrate: measures this machine, so that compile predicts its seconds.
#include "encrypted/calibrate.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/units_file.h"
#include "cli/verbs.h"

namespace sinter::cli {
namespace {

constexpr double kBusy = 0.9;  // CPU time over wall time

struct Options {
  std::string output;
  std::vector<i64> log_n;
  bool json = false;
};

nlohmann::ordered_json to_json(const encrypted::Calibration& c, const std::string& path) {
  nlohmann::ordered_json json = {{"output", path}, {"isa", name(c.units.isa)}, {"quiet", c.quiet}};
  for (const encrypted::Observation& o : c.observations)
    json["observations"].push_back({{"log_n", o.log_n},
                                    {"operation", o.what},
                                    {"level", o.level},
                                    {"measured_seconds", o.measured},
                                    {"predicted_seconds", o.predicted}});
  return json;
}

void run_calibrate(const Options& o) {
  const std::filesystem::path path =
      o.output.empty() ? units_path(active_isa()) : std::filesystem::path(o.output);
  require(!path.empty(), ErrorKind::bad_argument,
          "calibrate: neither XDG_CACHE_HOME nor HOME is set: say where to write with -o FILE");
  make_units_folder(path);
  require_output(path, {});
  encrypted::CalibrateOptions options;
  options.threads = std::thread::hardware_concurrency() > 1;
  if (!o.log_n.empty()) options.log_n = o.log_n;
  ProgressBar bar("calibrate");
  const encrypted::Calibration c = encrypted::measure_units(options, bar.callback());
  write_units(c.units, path);
  if (o.json) return print(to_json(c, path.string()).dump(2) + "\n");
  Table table({"N", "<operation", "level", "measured", "fitted", "ratio"});
  double worst = 1;
  for (const encrypted::Observation& row : c.observations) {
    const double ratio = row.predicted / row.measured;
    worst = std::max({worst, ratio, 1 / ratio});
    table.add({fmt::format("2^{}", row.log_n), row.what, std::to_string(row.level),
               seconds_text(row.measured), seconds_text(row.predicted),
               fmt::format("{:.2f}", ratio)});
  }
  print(table.text() + fmt::format("{}, fitted within {:.0f} %\nwritten  {}\n", name(c.units.isa),
                                   100 * (worst - 1), path.string()));
  if (c.quiet < kBusy)
    fmt::print(stderr,
               "sinter: warning: other programs used the machine meanwhile; run `sinter calibrate` "
               "again when it is idle\n");
}

}  // namespace

void add_calibrate(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("calibrate", "measure this machine, for the times that compile predicts");
  command->add_option("-o,--output", o->output,
                      "write the figures here; else where compile looks for them");
  command->add_option("--log-n", o->log_n, "ring sizes to measure, ascending; 13 to 16 if left out")
      ->check(between(10, 16));
  add_json(*command, o->json);
  command->footer("Example:\n  sinter calibrate -o server-units.json");
  command->callback([=] { run_calibrate(*o); });
}

}  // namespace sinter::cli
