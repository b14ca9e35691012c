// SPDX-License-Identifier: Apache-2.0
#include "onnx/export.h"

#include <optional>

#include "base/file.h"
#include "onnx/exporter.h"
#include "onnx/lower.h"

namespace sinter {
namespace {

/// Calls visit(graph, id) for every node, those of bodies included.
template <class Visit>
void each_node(const Graph& g, const Visit& visit) {
  for (NodeId id : g.nodes()) {
    visit(g, id);
    for (const auto& [key, body] : bodies(g.node(id))) each_node(*body, visit);
  }
}

void check_size(const onnx::Pieces& model, std::string_view what) {
  require(model.size() < i64(1) << 31, ErrorKind::unsupported, what, ": ", model.size(),
          " bytes do not fit one protobuf message (2 GiB); write constants to a data file");
}

}  // namespace

i64 export_opset(const Graph& graph) {
  i64 pinned = 0;
  std::string by;
  each_node(graph, [&](const Graph& g, NodeId id) {
    const i64 version =
        g.node(id).op == Op::Opaque ? g.node(id).attributes.integer("version", 0) : 0;
    if (version == 0 || version == pinned) return;
    require(pinned == 0, ErrorKind::unsupported, g.describe(id), ": is of opset ", version, " and ",
            by, " of opset ", pinned);
    pinned = version;
    by = g.node(id).attributes.text("op_type", "") + " (" + g.describe(id) + ")";
  });
  i64 opset = pinned > 0 ? pinned : std::max<i64>(7, graph.info.opset);
  each_node(graph, [&](const Graph& g, NodeId id) {
    const Node& n = g.node(id);
    if (info(n.op).opset == 0) return;
    while (!onnx::lower(g, n, std::min(opset, onnx::kNewestLowered))) {
      require(pinned == 0, ErrorKind::unsupported, g.describe(id), ": opset ", pinned, ", which ",
              by, " needs, has no form of it");
      require(opset < onnx::kNewestLowered, ErrorKind::unsupported, g.describe(id),
              ": no operator set up to ", onnx::kNewestLowered, " has this form");
      ++opset;
    }
  });
  return opset;
}

std::vector<std::byte> export_onnx(const Graph& graph, const ExportOptions& options) {
  onnx::Exporter exporter(graph, options, nullptr);
  const onnx::Pieces model = exporter.run();
  check_size(model, "export");
  std::vector<std::byte> out;
  out.reserve(size_t(model.size()));
  model.each([&](std::span<const std::byte> b) { out.insert(out.end(), b.begin(), b.end()); });
  return out;
}

void export_onnx(const Graph& graph, const std::filesystem::path& path,
                 const ExportOptions& options) {
  std::optional<onnx::DataFile> data;
  if (constant_bytes(graph) > options.external_threshold) data.emplace(path.string() + ".data");
  onnx::Exporter exporter(graph, options, data ? &*data : nullptr);
  const onnx::Pieces model = exporter.run();
  check_size(model, path.string());
  AtomicFile file(path);
  model.each([&](std::span<const std::byte> b) { file.write(b); });
  if (data) data->commit();
  file.commit();
}

}  // namespace sinter
