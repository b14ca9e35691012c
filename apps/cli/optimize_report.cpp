// SPDX-License-Identifier: Apache-2.0
#include "cli/optimize_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/table.h"

namespace sinter::cli {
namespace {

std::string_view name(Checked checked) {
  constexpr std::string_view kNames[] = {"equal", "known", "skipped"};
  return kNames[size_t(checked)];
}

nlohmann::ordered_json passes_json(const OptimizeReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const PassReport& pass : report.passes) {
    nlohmann::ordered_json row = {{"name", pass.name},       {"exactness", name(pass.exactness)},
                                  {"changed", pass.changed}, {"ms", pass.ms},
                                  {"removed", pass.removed}, {"skipped", nlohmann::json::array()}};
    for (const Skip& skip : pass.skipped)
      row["skipped"].push_back({{"where", skip.where}, {"reason", skip.reason}});
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::ordered_json rewrites_json(const OptimizeReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const RewriteRecord& r : report.rewrites) {
    nlohmann::ordered_json row = {{"pass", r.pass},   {"rule", r.rule},
                                  {"where", r.where}, {"removed", r.removed},
                                  {"bytes", r.bytes}, {"checked", name(r.checked)}};
    if (!r.reason.empty()) row["reason"] = r.reason;
    rows.push_back(std::move(row));
  }
  return rows;
}

nlohmann::ordered_json failures_json(const OptimizeReport& report) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const RewriteFailure& f : report.failures)
    rows.push_back({{"pass", f.pass},
                    {"rule", f.rule},
                    {"nodes", f.nodes},
                    {"reason", f.reason},
                    {"difference", f.difference},
                    {"tolerance", f.tolerance},
                    {"before", f.before},
                    {"after", f.after}});
  return rows;
}

/// "3 Conv, +1 Mul"; cut after 60 letters.
std::string removed_text(const OpHistogram& removed) {
  std::string text;
  for (const auto& [op, count] : removed) {
    if (count == 0) continue;
    if (text.size() > 60) return text + ", ...";
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                        count > 0 ? std::to_string(count) : fmt::format("+{}", -count), op);
  }
  return text;
}

}  // namespace

nlohmann::ordered_json to_json(const EqualityReport& report) {
  nlohmann::ordered_json json = {{"accepted", report.accepted}, {"samples", report.samples}};
  for (const OutputEquality& out : report.outputs)
    json["outputs"].push_back({{"name", out.name},
                               {"accepted", out.accepted},
                               {"reason", out.reason},
                               {"error_before", out.e0},
                               {"error_after", out.e1},
                               {"bound", out.bound},
                               {"largest", out.largest}});
  return json;
}

nlohmann::ordered_json to_json(const OptimizeRun& run) {
  const OptimizeReport& report = run.report;
  nlohmann::ordered_json json = {{"model", run.model},
                                 {"output", run.output},
                                 {"profile", run.profile},
                                 {"opset_before", run.opset_before},
                                 {"opset_after", run.opset_after},
                                 {"nodes_before", report.nodes_before},
                                 {"nodes_after", report.nodes_after},
                                 {"constant_bytes_before", report.constant_bytes_before},
                                 {"constant_bytes_after", report.constant_bytes_after},
                                 {"file_bytes_before", run.file_bytes_before},
                                 {"file_bytes_after", run.file_bytes_after},
                                 {"ms", report.ms + report.check_ms + report.verify_ms},
                                 {"pass_ms", report.ms},
                                 {"check_ms", report.check_ms},
                                 {"verify_ms", report.verify_ms},
                                 {"rounds", report.rounds},
                                 {"converged", report.converged},
                                 {"rewrites", std::ssize(report.rewrites)},
                                 {"rolled_back", std::ssize(report.failures)},
                                 {"too_large", report.too_large},
                                 {"assumptions", report.assumptions},
                                 {"operators_before", report.ops_before},
                                 {"operators_after", report.ops_after},
                                 {"defaulted_inputs", run.defaulted_inputs},
                                 {"passes", passes_json(report)},
                                 {"rewrite_list", rewrites_json(report)},
                                 {"failures", failures_json(report)}};
  if (run.equality.samples > 0) {
    json["verification"] = to_json(run.equality);
    json["verification"]["seconds"] = run.equality_s;
  }
  return json;
}

std::string pass_list(bool json) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"<pass", "<exact", "<what it does"});
  for (const PassInfo& pass : all_passes()) {
    table.add({std::string(pass.name), std::string(name(pass.exactness)), std::string(pass.doc)});
    all.push_back({{"name", pass.name},
                   {"exactness", name(pass.exactness)},
                   {"ids", pass.ids},
                   {"doc", pass.doc}});
  }
  if (json) return nlohmann::ordered_json{{"passes", all}}.dump(2) + "\n";
  return table.text() +
         "\nIn running order, repeated until nothing changes. E0: the same bits. E1: constants are "
         "rounded\nagain. E2: sums are taken in another order.\n";
}

std::string operators_text(const OptimizeReport& report) {
  OpHistogram all = report.ops_before;
  for (const auto& [op, count] : report.ops_after) all.try_emplace(op, 0);
  const auto count_of = [](const OpHistogram& ops, const std::string& op) {
    const auto it = ops.find(op);
    return it == ops.end() ? i64(0) : it->second;
  };
  std::vector<std::pair<i64, std::string>> order;
  for (const auto& [op, count] : all) order.emplace_back(-count_of(report.ops_before, op), op);
  std::sort(order.begin(), order.end());
  Table table({"<operator", "before", "after"});
  for (const auto& [minus, op] : order)
    table.add({op, count_text(-minus), count_text(count_of(report.ops_after, op))});
  table.rule();
  table.add({"all nodes", count_text(report.nodes_before), count_text(report.nodes_after)});
  table.add({"constants", bytes_text(report.constant_bytes_before),
             bytes_text(report.constant_bytes_after)});
  return table.text();
}

std::string passes_text(const OptimizeReport& report) {
  Table table({"<pass", "<exact", "rewrites", "left alone", "time", "<nodes removed"});
  for (const PassReport& pass : report.passes)
    if (pass.changed > 0 || !pass.skipped.empty())
      table.add({pass.name, std::string(name(pass.exactness)), count_text(pass.changed),
                 count_text(std::ssize(pass.skipped)), seconds_text(pass.ms / 1e3),
                 removed_text(pass.removed)});
  table.rule();
  table.add(
      {fmt::format("{} rounds", report.rounds), "", count_text(std::ssize(report.rewrites)), "",
       seconds_text(report.ms / 1e3),
       fmt::format("checks of single rewrites {}, structure {}",
                   seconds_text(report.check_ms / 1e3), seconds_text(report.verify_ms / 1e3))});
  return table.text();
}

std::string skips_text(const OptimizeReport& report) {
  Table table({"<pass", "<left alone", "<because"});
  for (const PassReport& pass : report.passes)
    for (const Skip& skip : pass.skipped) table.add({pass.name, skip.where, skip.reason});
  return table.empty() ? "Nothing was left alone.\n" : table.text();
}

std::string failures_text(const OptimizeReport& report) {
  std::string text;
  for (const RewriteFailure& f : report.failures)
    text += fmt::format("rewrite {} of {} at {} was undone: {}\n", f.rule, f.pass,
                        f.nodes.empty() ? "?" : f.nodes[0], f.reason);
  if (text.empty()) return text;
  return text +
         "This is a bug in sinter; the model is right, the rewrite was not made. Please report it "
         "with "
         "--report.\n";
}

}  // namespace sinter::cli
