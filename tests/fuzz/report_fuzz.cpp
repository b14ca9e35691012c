// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as the document of a report: an Error or a page, nothing else.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/report.h"
#include "cli/report_view.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace sinter;
  try {
    const auto report = cli::parse_report(std::as_bytes(std::span(data, size)), "input");
    SINTER_ASSERT(cli::report_html(report).ends_with("</html>\n"));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
  }
  return 0;
}
