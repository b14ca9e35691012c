// SPDX-License-Identifier: Apache-2.0
// Parts of a report's page, as markup.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/report_view.h"

namespace sinter::cli {

std::string level_section(const ReportView& view);
/// Time, bytes and precision by layer, memory over time; what a document has no numbers for is
/// left out.
std::string time_section(const ReportView& view);
std::string bytes_section(const ReportView& view);
std::string precision_section(const ReportView& view);
std::string memory_section(const ReportView& view);
/// Tasks of several workers over time; nothing when the document has none.
/// throws  Error(bad_input) when one is not as in report.h
std::string workers_section(const nlohmann::ordered_json& report);
std::string layer_table(const ReportView& view);

}  // namespace sinter::cli
