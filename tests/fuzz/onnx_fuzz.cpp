// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as an ONNX model, bodies and functions included: an Error, or a graph that is
// sound, prints, and comes back from an export as a sound graph with the same outputs.
#include <cstdlib>

#include "graph/text.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/tensor_proto.h"

using namespace sinter;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    read_tensor_pb(bytes, "fuzz");
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::internal) std::abort();
  }
  try {
    // The last bit of the file chooses the options.
    ImportOptions options_in;
    options_in.inline_functions = size == 0 || data[size - 1] % 2 == 0;
    options_in.keep_overridable = options_in.inline_functions;
    const Graph graph = import_onnx(bytes, nullptr, "fuzz", {}, options_in);
    verify(graph);
    PrintOptions options;
    options.max_elements = 64;
    to_text(graph, options);
    const auto exported = export_onnx(graph);
    const Graph again = import_onnx(exported, nullptr, "exported");
    verify(again);
    if (again.outputs().size() != graph.outputs().size()) std::abort();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::internal) std::abort();
  }
  return 0;
}
