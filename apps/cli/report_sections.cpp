// SPDX-License-Identifier: Apache-2.0
#include "cli/report_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/html.h"
#include "cli/table.h"

namespace sinter::cli {
namespace {

std::vector<std::string> layer_labels(const ReportView& view) {
  constexpr size_t kLongest = 38;
  std::vector<std::string> labels;
  for (size_t l = 0; l < view.layers.size(); ++l)
    labels.push_back(fmt::format("{} {}", l, html::tail(view.layers[l].name, kLongest)));
  return labels;
}

html::Series series(const ReportView& view, const std::string& name, double ReportLayer::*field) {
  html::Series out{name, {}};
  for (const ReportLayer& layer : view.layers) out.values.push_back(layer.*field);
  return out;
}

bool has(const ReportView& view, double ReportLayer::*field) {
  return std::any_of(view.layers.begin(), view.layers.end(),
                     [&](const ReportLayer& layer) { return layer.*field >= 0; });
}

double total(const html::Series& s) {
  return std::accumulate(s.values.begin(), s.values.end(), 0.0,
                         [](double sum, double v) { return sum + std::max(0.0, v); });
}

std::string bytes_label(double bytes) { return bytes_text(i64(std::min(bytes, 1e18))); }

std::string number_or_none(double value, const char* format = "{:.1f}") {
  return value < 0 ? "" : fmt::format(fmt::runtime(format), value);
}

html::Line line_over_layers(const ReportView& view, const std::string& name,
                            double ReportLayer::*field) {
  html::Line line{name, {}};
  for (size_t l = 0; l < view.layers.size(); ++l)
    if (view.layers[l].*field >= 0) line.points.emplace_back(double(l), view.layers[l].*field);
  return line;
}

}  // namespace

std::string time_section(const ReportView& view) {
  std::vector<html::Series> all = {series(view, "predicted", &ReportLayer::predicted_seconds)};
  std::string words =
      fmt::format("Predicted on one core: {} for one image.", seconds_text(total(all[0])));
  if (has(view, &ReportLayer::measured_cpu_seconds)) {
    all.push_back(series(view, "measured CPU", &ReportLayer::measured_cpu_seconds));
    const double wall = total(series(view, "", &ReportLayer::measured_seconds));
    const double cpu = total(all[1]);
    words += fmt::format(
        " Measured in the last run, for one image: {} of CPU time on all cores, {} times the "
        "prediction; {} of wall time.",
        seconds_text(cpu), total(all[0]) > 0 ? fmt::format("{:.2f}", cpu / total(all[0])) : "?",
        seconds_text(wall));
  }
  std::string body = html::heading("Time by layer") + html::paragraph(words);
  body += html::bars("seconds by layer", words, layer_labels(view), all, seconds_text);
  if (view.runs.empty()) return body;
  html::Table table({"<first input", "images together", "wall", "CPU"});
  for (const ReportRun& run : view.runs)
    table.add({run.input, fmt::format("{:g}", run.images), seconds_text(run.seconds),
               seconds_text(run.cpu_seconds)});
  return body + html::details("Every run", table.text());
}

std::string bytes_section(const ReportView& view) {
  std::vector<html::Series> all = {
      series(view, "plaintexts encoded", &ReportLayer::plaintext_bytes)};
  std::string words = fmt::format("Plaintexts encoded: {}.", bytes_label(total(all[0])));
  if (has(view, &ReportLayer::key_bytes)) {
    all.push_back(series(view, "keys read", &ReportLayer::key_bytes));
    words +=
        fmt::format(" Keys read: {}, each as often as it is used.", bytes_label(total(all[1])));
  }
  return html::heading("Bytes by layer") + html::paragraph(words) +
         html::bars("bytes by layer", words, layer_labels(view), all, bytes_label);
}

std::string precision_section(const ReportView& view) {
  std::vector<html::Line> all;
  if (has(view, &ReportLayer::predicted_bits))
    all.push_back(line_over_layers(view, "predicted", &ReportLayer::predicted_bits));
  if (has(view, &ReportLayer::measured_bits))
    all.push_back(line_over_layers(view, "measured", &ReportLayer::measured_bits));
  if (all.empty()) return "";
  std::string words;
  for (const html::Line& line : all) {
    const auto least =
        std::min_element(line.points.begin(), line.points.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    words += fmt::format("{}{}: {:.1f} bits in the result, fewest {:.1f} behind layer {}.",
                         words.empty() ? "" : " ", line.name, line.points.back().second,
                         least->second, least->first);
  }
  return html::heading("Precision by layer") + html::paragraph(words) +
         html::lines(
             "bits by layer", words, all, [](double x) { return fmt::format("{:g}", x); },
             [](double y) { return fmt::format("{:g}", y); });
}

std::string memory_section(const ReportView& view) {
  if (view.runs.empty() || view.runs.back().anonymous.empty()) return "";
  const ReportRun& run = view.runs.back();
  const auto most = [](const auto& points) {
    double largest = 0;
    for (const auto& [x, y] : points) largest = std::max(largest, y);
    return largest;
  };
  const std::string words = fmt::format(
      "After each instruction of the last run: at most {} of own memory and {} of mapped "
      "files, keys above all.",
      bytes_label(most(run.anonymous)), bytes_label(most(run.file)));
  return html::heading("Memory over time") + html::paragraph(words) +
         html::lines("resident bytes over time", words,
                     {{"own memory", run.anonymous}, {"mapped files", run.file}}, seconds_text,
                     bytes_label);
}

std::string layer_table(const ReportView& view) {
  html::Table table({"layer", "<name", "<kind", "level in", "out", "<method", "diagonals",
                     "hoisted", "rotations", "plaintexts", "keys", "range", "predicted", "CPU",
                     "wall", "bits predicted", "measured"});
  const auto seconds = [](double s) { return s < 0 ? std::string() : seconds_text(s); };
  const auto count = [](double c) { return fmt::format("{:g}", c); };
  for (size_t l = 0; l < view.layers.size(); ++l) {
    const ReportLayer& row = view.layers[l];
    table.add({std::to_string(l), row.name, row.op, std::to_string(row.level_in),
               std::to_string(row.level_out), row.method, count(row.diagonals),
               count(row.hoisted_rotations), count(row.rotations), bytes_label(row.plaintext_bytes),
               row.key_bytes < 0 ? "" : bytes_label(row.key_bytes),
               fmt::format("{:.3g}", row.range), seconds(row.predicted_seconds),
               seconds(row.measured_cpu_seconds), seconds(row.measured_seconds),
               number_or_none(row.predicted_bits), number_or_none(row.measured_bits)});
  }
  return html::heading("Layers") + table.text();
}

}  // namespace sinter::cli
