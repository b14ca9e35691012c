// SPDX-License-Identifier: Apache-2.0
// Options that several commands share.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <thread>

#include "cli/verbs.h"

namespace sinter::cli {

namespace {

CLI::Validator number(const std::string& what, const std::function<bool(double)>& holds) {
  return {[what, holds](std::string& text) {
            double value = 0;
            const char* const end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, value);
            const bool is_read = read.ec == std::errc() && read.ptr == end && std::isfinite(value);
            if (is_read && holds(value)) return std::string();
            return fmt::format("expected a number {}, found '{}'", what, text);
          },
          what};
}

}  // namespace

CLI::Validator at_least(double least) {
  return number(fmt::format(">= {:g}", least), [least](double v) { return v >= least; });
}

CLI::Validator above(double bound) {
  return number(fmt::format("> {:g}", bound), [bound](double v) { return v > bound; });
}

CLI::Validator between(double least, double most) {
  return number(fmt::format("from {:g} to {:g}", least, most),
                [least, most](double v) { return v >= least && v <= most; });
}

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "print one JSON object in place of the table");
}

void add_threads(CLI::App& command, int& threads) {
  threads = int(std::clamp(std::thread::hardware_concurrency(), 1u, 64u));
  command.add_option("--threads", threads, "threads to use")
      ->check(between(1, 1024))
      ->capture_default_str();
}

}  // namespace sinter::cli
