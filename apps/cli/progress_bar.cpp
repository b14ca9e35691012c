// SPDX-License-Identifier: Apache-2.0
#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/table.h"

namespace sinter::cli {

ProgressBar::ProgressBar(std::string title)
    : title_(std::move(title)), terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

Progress ProgressBar::callback() {
  if (!terminal_) return {};
  return [this](i64 done, i64 total, std::string_view what) { update(done, total, what); };
}

void ProgressBar::update(i64 done, i64 total, std::string_view what) {
  constexpr double kFirst_s = 1, kEvery_s = 0.1;
  constexpr i64 kWidth = 24;
  const double now = timer_.wall_s();
  if (done < last_done_) phase_start_ = now;
  last_done_ = done;
  if (!terminal_ || now < kFirst_s || now - drawn_at_ < kEvery_s) return;
  drawn_at_ = now;
  drawn_ = true;
  const double part = total > 0 ? std::clamp(double(done) / double(total), 0.0, 1.0) : 0;
  const i64 full = i64(part * kWidth);
  const std::string left =
      part > 0.02 ? seconds_text((now - phase_start_) * (1 / part - 1)) + " left" : "";
  fmt::print(stderr, "\r{} [{}{}] {:3.0f} %  {}  {}\x1b[K", title_, std::string(size_t(full), '='),
             std::string(size_t(kWidth - full), ' '), part * 100, left, what.substr(0, 40));
  std::fflush(stderr);
}

}  // namespace sinter::cli
