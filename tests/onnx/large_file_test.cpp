// SPDX-License-Identifier: Apache-2.0
// A model whose weights do not fit one protobuf message: read from its data file, written to
// another, without ever being in memory. The files are sparse, so this is cheap.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"

namespace sinter {
namespace {

using namespace testing_onnx;

constexpr i64 kElements = (i64(5) << 30) / 8;  // 2.5 GiB of f32

/// VmHWM or RssAnon of this process in MiB.
i64 memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(field + ":", 0) == 0) return std::stoll(line.substr(field.size() + 1)) / 1024;
  return -1;
}

/// A file of `size` bytes, zeros but for three floats.
void write_sparse(const std::filesystem::path& path, i64 size) {
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, size), 0);
  for (i64 at : {i64(0), size / 8 * 4, size - 4}) {
    const float v = float(at % 1000) + 1;
    ASSERT_EQ(::pwrite(fd, &v, 4, at), 4);
  }
  ::close(fd);
}

TEST(LargeFile, more_than_two_gib_pass_from_data_file_to_data_file) {
  TempFolder folder;
  write_sparse(folder / "w.bin", kElements * 4);
  std::string tensor;
  {
    pbf_writer w(tensor);
    w.add_int64(1, kElements);
    w.add_int32(2, int(DType::f32));
    w.add_string(8, "w");
    pbf_writer e(w, 13);
    e.add_string(1, "location");
    e.add_string(2, "w.bin");
  }
  pbf_writer(tensor).add_enum(14, 1);
  Model m;
  m.inputs = {value("x", {std::to_string(kElements)})};
  m.outputs = {value("y", {std::to_string(kElements)})};
  m.initializers = {tensor};
  m.nodes = {node("Add", {"x", "w"}, {"y"})};
  write_file(folder / "m.onnx", m.bytes());

  const i64 owned_before = memory("RssAnon"), peak_before = memory("VmHWM");
  const Graph g = import_onnx(folder / "m.onnx");
  EXPECT_TRUE(g.constant(g.constants()[0])->is_view());
  export_onnx(g, folder / "out.onnx");
  EXPECT_LT(memory("RssAnon") - owned_before, 64);
  std::printf("peak memory %lld MiB, before %lld MiB\n", (long long)memory("VmHWM"),
              (long long)peak_before);
  EXPECT_LT(memory("VmHWM") - peak_before, 256);

  EXPECT_LT(std::filesystem::file_size(folder / "out.onnx"), 1000u);
  EXPECT_EQ(i64(std::filesystem::file_size(folder / "out.onnx.data")), kElements * 4);
  const Graph again = import_onnx(folder / "out.onnx");
  verify(again);
  const auto a = g.constant(g.constants()[0])->data<float>();
  const auto b = again.constant(again.constants()[0])->data<float>();
  ASSERT_EQ(a.size(), b.size());
  for (i64 i : {i64(0), kElements / 2, kElements - 1}) {
    EXPECT_NE(a[size_t(i)], 0);
    EXPECT_EQ(a[size_t(i)], b[size_t(i)]);
  }
  expect_error([&] { export_onnx(g, {.expand_functions = false}); }, ErrorKind::unsupported,
               {"2 GiB"});
}

}  // namespace
}  // namespace sinter
