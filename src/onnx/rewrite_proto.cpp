// SPDX-License-Identifier: Apache-2.0
#include "onnx/rewrite_proto.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <set>

#include "base/error.h"

namespace sinter::onnx {
namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;
using GivenAttributes = std::map<std::string_view, const AttributeProto*>;

std::string_view view_of(pbf_reader& r) {
  const auto v = r.get_view();
  return {v.data(), v.size()};
}

/// Copies the message field by field; `change(tag, text, out)` may write a text field in another
/// form and return true.
template <class Change>
std::string copy(std::string_view bytes, const Change& change) {
  std::string out;
  pbf_reader r(bytes.data(), bytes.size());
  const char* at = bytes.data();
  while (r.next()) {
    const u32 tag = r.tag();
    bool is_changed = false;
    if (r.has_wire_type(protozero::pbf_wire_type::length_delimited)) {
      is_changed = change(tag, view_of(r), out);
    } else {
      r.skip();
    }
    const char* end = r.data().data();
    if (!is_changed) out.append(at, end);
    at = end;
  }
  return out;
}

class Rewriter {
 public:
  Rewriter(const Renames& renames, const GivenAttributes* given)
      : renames_(renames), given_(given) {}

  std::string node(std::string_view bytes) const {
    return copy(bytes, [&](u32 tag, std::string_view text, std::string& out) {
      if (tag == 1) return renamed(tag, text, out);
      if (tag != 5) return false;
      const std::string a = attribute(text);
      if (!a.empty()) pbf_writer(out).add_message(5, a);
      return true;
    });
  }

 private:
  bool renamed(u32 tag, std::string_view name, std::string& out) const {
    const auto it = renames_.find(name);
    if (it == renames_.end()) return false;
    pbf_writer(out).add_string(tag, it->second);
    return true;
  }

  /// Empty when the attribute is dropped.
  std::string attribute(std::string_view bytes) const {
    std::string_view name, reference;
    for (pbf_reader r(bytes.data(), bytes.size()); r.next();) {
      if (r.tag() == 1)
        name = view_of(r);
      else if (r.tag() == 21)
        reference = view_of(r);
      else
        r.skip();
    }
    if (!reference.empty() && given_ != nullptr) {
      const auto it = given_->find(reference);
      if (it == given_->end()) return "";
      std::string out(it->second->raw);
      pbf_writer(out).add_string(1, name.data(), name.size());  // the last name counts
      return out;
    }
    return copy(bytes, [&](u32 tag, std::string_view text, std::string& out) {
      if (tag != 6 && tag != 11) return false;
      pbf_writer(out).add_message(tag, graph(text));
      return true;
    });
  }

  std::string graph(std::string_view bytes) const {
    const GraphProto g =
        parse_graph_proto(std::as_bytes(std::span(bytes.data(), bytes.size())), "subgraph");
    Renames outside;
    for (std::string_view name : free_names(g))
      if (const auto it = renames_.find(name); it != renames_.end()) outside.insert(*it);
    const Rewriter inner(outside, given_);
    return copy(bytes, [&](u32 tag, std::string_view text, std::string& out) {
      if (tag == 1) {
        pbf_writer(out).add_message(1, inner.node(text));
        return true;
      }
      if (tag != 12) return false;
      const std::string value = copy(text, [&](u32 field, std::string_view name, std::string& to) {
        return field == 1 && inner.renamed(field, name, to);
      });
      pbf_writer(out).add_message(12, value);
      return true;
    });
  }

  const Renames& renames_;
  const GivenAttributes* given_;
};

}  // namespace

std::string rewrite_node(std::string_view bytes, const Renames& renames,
                         const GivenAttributes* attributes) {
  try {
    return Rewriter(renames, attributes).node(bytes);
  } catch (const protozero::exception&) {
    fail(ErrorKind::bad_input, "a node that is passed through is malformed");
  }
}

}  // namespace sinter::onnx
