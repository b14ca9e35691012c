// SPDX-License-Identifier: Apache-2.0
// The page of a report: what it is, then levels, merges, time, bytes, precision, memory,
// candidates, and all numbers of all layers.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "cli/html.h"
#include "cli/report.h"
#include "cli/report_sections.h"
#include "cli/table.h"

namespace sinter::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string bytes_at(const Json& report, const char* key) {
  return bytes_text(i64(number_at(report, key, 0)));
}

std::string count_at(const Json& report, const char* key) {
  return count_text(i64(number_at(report, key, 0)));
}

std::string cards(const Json& report, const ReportView& view) {
  html::Cards cards;
  cards.add(count_at(report, "depth"), "levels");
  cards.add(fmt::format("{:.0f} of {:.0f}", number_at(report, "log2_qp", 0),
                        number_at(report, "log2_qp_limit", 0)),
            "bits of modulus");
  cards.add(fmt::format("{} of {}", count_at(report, "slots_used"), count_at(report, "slots")),
            "slots used");
  cards.add(fmt::format("{}, {} each", count_at(report, "ciphertexts"),
                        bytes_at(report, "ciphertext_bytes")),
            "input ciphertexts");
  cards.add(fmt::format("{}, {}", count_at(report, "keys"), bytes_at(report, "key_bytes")),
            "keys, in memory");
  cards.add(count_at(report, "diagonals"), "diagonals");
  cards.add(
      fmt::format("{} + {}", count_at(report, "hoisted_rotations"), count_at(report, "rotations")),
      "rotations, hoisted + full");
  cards.add(seconds_text(number_at(report, "predicted_seconds", 0)), "predicted, one core");
  if (!view.runs.empty())
    cards.add(fmt::format("{}, {} CPU", seconds_text(view.runs.back().seconds),
                          seconds_text(view.runs.back().cpu_seconds)),
              view.runs.back().images > 1
                  ? fmt::format("measured, last run of {:g} images", view.runs.back().images)
                  : std::string("measured, last run"));
  cards.add(fmt::format("{:.1f} bits", number_at(report, "predicted_precision_bits", 0)),
            "precision predicted");
  if (report.contains("peak_memory_bytes"))
    cards.add(bytes_at(report, "peak_memory_bytes"), "peak memory");
  if (report.contains("threads")) cards.add(count_at(report, "threads"), "threads");
  return cards.text();
}

/// "levels_saved" is "levels saved"; units move into the cells.
std::string cell(const std::string& key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  const double number = value.is_number() ? std::clamp(value.get<double>(), -1e18, 1e18) : 0;
  if (value.is_number() && key.ends_with("bytes")) return bytes_text(i64(number));
  if (value.is_number() && key.find("seconds") != std::string::npos) return seconds_text(number);
  if (value.is_number_float()) return fmt::format("{:.4g}", number);
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "";
  if (value.is_array()) {
    std::string text;
    for (const Json& part : value) text += (text.empty() ? "" : ", ") + cell("", part);
    return text;
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The objects of a list, {} when there is none.
std::vector<Json> rows_at(const Json& report, const char* key) {
  const auto rows = report.find(key);
  if (rows == report.end() || !rows->is_array()) return {};
  for (const Json& row : *rows)
    require(row.is_object(), ErrorKind::bad_input, "report: \"", key, "\": expected objects");
  return {rows->begin(), rows->end()};
}

/// Objects of one kind as a table; its columns are the fields of the first. Long cells are cut, and
/// so is a long table.
std::string table_of(const std::vector<Json>& rows) {
  constexpr size_t kLongest = 240, kMost = 300;
  if (rows.empty()) return "";
  std::vector<std::string> titles, keys;
  for (const auto& [name, value] : rows.front().items()) {
    std::string text = name;
    std::replace(text.begin(), text.end(), '_', ' ');
    titles.push_back((value.is_number() ? "" : "<") + text);
    keys.push_back(name);
  }
  html::Table table(titles);
  for (const Json& row : std::span(rows).first(std::min(kMost, rows.size()))) {
    std::vector<std::string> cells;
    for (const std::string& name : keys) {
      std::string text = row.contains(name) ? cell(name, row[name]) : "";
      if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
      cells.push_back(std::move(text));
    }
    table.add(cells);
  }
  if (rows.size() <= kMost) return table.text();
  return table.text() + html::paragraph(fmt::format("The first {} of {}; the JSON has all.", kMost,
                                                    count_text(std::ssize(rows))));
}

/// The rules that saved levels, then each of their merges.
std::string merges(const Json& report) {
  const std::vector<Json> rows = rows_at(report, "merges");
  if (rows.empty()) return "";
  std::vector<Json> rules, saving;
  for (const Json& row : rows) {
    const std::string rule = text_at(row, "rule");
    const double count = number_at(row, "count", 1), levels = number_at(row, "levels_saved", 0);
    if (levels != 0) saving.push_back(row);
    const auto at = std::find_if(rules.begin(), rules.end(),
                                 [&](const Json& other) { return other["rule"] == rule; });
    if (at == rules.end()) {
      rules.push_back({{"rule", rule}, {"times", count}, {"levels_saved", levels}});
    } else {
      (*at)["times"] = number_at(*at, "times") + count;
      (*at)["levels_saved"] = number_at(*at, "levels_saved") + levels;
    }
  }
  std::string others;
  for (const Json& rule : rules)
    if (rule["levels_saved"] == 0)
      others += fmt::format("{}{} {}", others.empty() ? "" : ", ", text_at(rule, "rule"),
                            count_at(rule, "times"));
  std::erase_if(rules, [](const Json& rule) { return rule["levels_saved"] == 0; });
  return html::heading("What merging saved") +
         html::paragraph(
             "Levels of the longest path before and after each kind of rewrite; together the "
             "levels "
             "of the network as given minus those of the plan.") +
         table_of(rules) +
         (others.empty() ? "" : html::paragraph("No level saved by: " + others + ".", "sub")) +
         (saving.empty() ? "" : html::details("Every merge that saved levels", table_of(saving)));
}

/// Of each kind of plan and ring the best candidate, and the one chosen; all of them to unfold.
std::string candidates(const Json& report) {
  const std::vector<Json> rows = rows_at(report, "candidates");
  if (rows.empty()) return "";
  html::Table table({"<", "<plan", "N", "levels", "scale", "<secret", "log2 QP", "keys",
                     "bytes of keys", "memory", "1 thread", "2 threads", "bits",
                     "<why it cannot run"});
  const auto has_flag = [](const Json& row, const char* key) {
    return row.contains(key) && row[key] == true;
  };
  const auto group = [](const Json& row) {
    return text_at(row, "plan") + " " + std::to_string(number_at(row, "log_n", 0));
  };
  std::string last;
  for (const Json& row : rows) {
    const bool is_first = group(row) != last;
    last = group(row);
    if (!is_first && !has_flag(row, "chosen")) continue;
    const bool is_costed = number_at(row, "predicted_seconds", 0) > 0;
    const auto costed = [&](const std::string& text) { return is_costed ? text : std::string(); };
    table.add({has_flag(row, "chosen") ? "chosen" : "", text_at(row, "plan"),
               fmt::format("2^{:g}", number_at(row, "log_n", 0)), count_at(row, "levels"),
               count_at(row, "log_scale"), text_at(row, "secret"), count_at(row, "log2_qp"),
               costed(count_at(row, "keys")), costed(bytes_at(row, "key_bytes")),
               costed(bytes_at(row, "memory_bytes")),
               costed(seconds_text(number_at(row, "predicted_seconds", 0))),
               costed(seconds_text(number_at(row, "predicted_seconds_two_threads", 0))),
               costed(fmt::format("{:.1f}", number_at(row, "predicted_precision_bits", 0))),
               text_at(row, "reason")});
  }
  return html::heading("Plans that were compared") +
         html::paragraph(
             "The best of each kind with its predicted cost, or why none of it can run.") +
         table.text() +
         html::details(fmt::format("All {} candidates", count_text(std::ssize(rows))),
                       table_of(rows));
}

std::string notes(const Json& report) {
  std::string body;
  if (const auto at = report.find("notes"); at != report.end() && at->is_array())
    for (const Json& note : *at) body += html::paragraph(cell("", note));
  return body.empty() ? "" : html::heading("Notes") + body;
}

}  // namespace

std::string report_html(const Json& report) {
  const ReportView view = read_report(report);
  const std::string hash = text_at(report, "program_hash"), warning = text_at(report, "warning");
  std::string body = html::paragraph(text_at(report, "security"));
  if (!hash.empty())
    body += html::paragraph(
        fmt::format("program {}, parameters {}", hash, text_at(report, "parameters_hash")), "sub");
  if (!warning.empty()) body += html::paragraph(warning, "bad");
  body += cards(report, view) + level_section(view) + merges(report) + time_section(view) +
          bytes_section(view) + precision_section(view) + memory_section(view) +
          workers_section(report) + candidates(report) + layer_table(view) + notes(report);
  const std::string network = text_at(report, "network");
  return html::page(network.empty() ? "encrypted network" : network,
                    "encrypted inference under CKKS", body);
}

}  // namespace sinter::cli
