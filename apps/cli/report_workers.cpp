// SPDX-License-Identifier: Apache-2.0
// Which worker computed what and when: a row per worker, a bar per task.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "base/error.h"
#include "cli/html.h"
#include "cli/report_sections.h"
#include "cli/table.h"

namespace sinter::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr i64 kWidth = 900, kLeft = 90, kTop = 30, kRow = 34, kBar = 22;
constexpr i64 kMostWorkers = 256;
constexpr size_t kMostBars = 20000;

struct Task {
  i64 worker = 0;
  double begin = 0, end = 0;
  bool is_part = false;
  std::string title;
};

Task read_task(const Json& row) {
  require(row.is_object(), ErrorKind::bad_input, "report: \"tasks\": expected objects");
  Task task;
  const double worker = number_at(row, "worker");
  task.begin = number_at(row, "begin"), task.end = number_at(row, "end");
  require(worker >= 0 && worker < double(kMostWorkers) && task.begin >= 0 &&
              task.end >= task.begin && task.end < 1e9,
          ErrorKind::bad_input, "report: \"tasks\": expected a worker from 0 to ", kMostWorkers - 1,
          " and seconds from begin to end, found worker ", worker, ", ", task.begin, " to ",
          task.end);
  task.worker = i64(worker);
  const std::string kind = text_at(row, "kind"), layer = text_at(row, "name");
  task.is_part = kind == "sums" || kind == "giants";
  task.title = fmt::format("image {:g}, {}{}{}, {}", number_at(row, "image", 0), kind,
                           layer.empty() ? "" : " of ", layer, seconds_text(task.end - task.begin));
  return task;
}

std::vector<Task> read_tasks(const Json& report) {
  std::vector<Task> tasks;
  const auto rows = report.find("tasks");
  if (rows == report.end() || !rows->is_array()) return tasks;
  for (const Json& row : *rows) tasks.push_back(read_task(row));
  return tasks;
}

std::string shapes(const std::vector<Task>& tasks, i64 workers, double end) {
  const double scale = end > 0 ? double(kWidth - kLeft - 20) / end : 0;
  std::string out;
  for (i64 w = 0; w < workers; ++w)
    out += html::label(double(kLeft) - 8, double(kTop + w * kRow) + 15,
                       fmt::format("worker {}", w + 1), "end");
  for (const Task& task : std::span(tasks).first(std::min(tasks.size(), kMostBars)))
    out += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" class=\"b{}\"><title>{}</title>"
        "</rect>\n",
        double(kLeft) + task.begin * scale, kTop + task.worker * kRow,
        std::max(0.3, (task.end - task.begin) * scale), kBar, task.is_part ? 1 : 0,
        html::escaped(task.title));
  for (int k = 0; k <= 4; ++k)
    out += html::label(double(kLeft) + end * scale * k / 4, double(kTop) - 10,
                       seconds_text(end * k / 4), "middle");
  return out;
}

}  // namespace

std::string workers_section(const Json& report) {
  const std::vector<Task> tasks = read_tasks(report);
  if (tasks.empty()) return "";
  i64 workers = 0;
  double end = 0;
  for (const Task& task : tasks)
    workers = std::max(workers, task.worker + 1), end = std::max(end, task.end);
  std::vector<double> busy(size_t(workers), 0.0);
  for (const Task& task : tasks) busy[size_t(task.worker)] += task.end - task.begin;
  html::Table table({"<worker", "tasks", "at work", "share"});
  for (i64 w = 0; w < workers; ++w) {
    const auto count = std::ranges::count(tasks, w, &Task::worker);
    table.add({std::to_string(w + 1), count_text(count), seconds_text(busy[size_t(w)]),
               fmt::format("{:.0f} %", end > 0 ? 100 * busy[size_t(w)] / end : 0.0)});
  }
  std::string words =
      "A bar is a task, from when it was handed out to when its results were there, with the time "
      "that ciphertexts travelled; the second colour is parts of linear maps that several workers "
      "share. Seconds count from the start of the coordinator.";
  if (tasks.size() > kMostBars)
    words += fmt::format(" The first {} of {} tasks are drawn; the table counts all.",
                         count_text(i64(kMostBars)), count_text(std::ssize(tasks)));
  return html::heading("Workers over time") + html::paragraph(words) +
         html::drawing(kWidth, kTop + workers * kRow + 10, "workers over time", words,
                       shapes(tasks, workers, end)) +
         table.text();
}

}  // namespace sinter::cli
