// SPDX-License-Identifier: Apache-2.0
// The payloads of frames. Values are numbered as the instructions that compute them.
//
//   value, part  value u32 | part u32 | level u32 | first limb u32 | limbs u32 | polynomials u32 |
//                scale f64 | residues
//   task         id u64 | kind u32 | segment u32 | part u32 | parts u32
//   done         id u64 | seconds f64
//   failed       kind of error u32 | text
//   hello        parameters u64 | threads u32
//   release      count u64 | values u32...
//
// Readers are bounded and check every number against the program and its parameters.
#pragma once
#include <vector>

#include "base/error.h"
#include "ckks/context.h"
#include "encrypted/program.h"
#include "serve/frame.h"
#include "serve/map_cut.h"

namespace sinter::serve {

inline constexpr u32 kNoPart = 0xFFFFFFFF;

/// A ciphertext, or a part of a linear map (PartId::number).
struct ValueHeader {
  u32 value = 0, part = kNoPart;
  int level = -1;
  int first_limb = 0, limbs = 0;
  int polynomials = 0;
  double scale = 0;
};

/// Largest payload that these parameters can give.
i64 max_payload(const ckks::CkksParams& params);

/// Payloads that point to the limbs of x and keep it alive: nothing is copied.
std::shared_ptr<const Payload> encode_value(u32 value, std::shared_ptr<const ckks::Ciphertext> x);
std::shared_ptr<const Payload> encode_part(u32 value, const PartId& part,
                                           std::shared_ptr<const ckks::LinearPart> x);

/// Does this payload hold a value of the program: its number, the level and scale of its
/// instruction, polynomials and limbs as its part has them, canonical residues? With the residues
/// read, not kept. throws  Error(bad_input) naming `peer` and what was expected
ValueHeader check_value(const ckks::Context& context, const encrypted::EncryptedProgram& program,
                        const Frame& frame, const std::string& peer);
/// All of it but the residues, of which there are as many as the header says.
ValueHeader check_header(const encrypted::EncryptedProgram& program, const Frame& frame,
                         const std::string& peer);
/// All of it, and the ciphertext or part itself.
ckks::Ciphertext decode_value(const ckks::Context& context,
                              const encrypted::EncryptedProgram& program, const Frame& frame,
                              const std::string& peer);
ckks::LinearPart decode_part(const ckks::Context& context,
                             const encrypted::EncryptedProgram& program, const Frame& frame,
                             const std::string& peer);

/// Numbers are stable.
enum class TaskKind : u32 {
  whole = 0,    ///< the program for one image
  segment = 1,  ///< a segment (segments.h)
  sums = 2,     ///< first phase of part `part` of `parts` of the map that a segment begins with
  giants = 3,   ///< second phase of that part
  finish = 4,   ///< the rest of a segment whose map was computed in `parts` parts
};

struct Task {
  u64 id = 0;
  TaskKind kind = TaskKind::whole;
  i64 request = 0;  ///< in the frame's header
  i32 segment = 0;
  i32 part = 0, parts = 0;
  double seconds = 0;  ///< predicted, on one thread; not sent
};
Frame task_frame(const FrameInfo& info, const Task& task);
/// throws  Error(bad_input) when a number is outside the program
Task parse_task(const Frame& frame, i64 segments, const std::string& peer);

struct Done {
  u64 id;
  double seconds;
};
Frame done_frame(FrameInfo info, const Done& done);
Done parse_done(const Frame& frame, const std::string& peer);

Frame failed_frame(FrameInfo info, const Error& error);
/// The worker's error with its name before the text.
Error parse_failed(const Frame& frame, const std::string& peer);

struct Hello {
  u64 params;
  u32 threads;
};
Frame hello_frame(FrameInfo info, const Hello& hello);
Hello parse_hello(const Frame& frame, const std::string& peer);

Frame release_frame(FrameInfo info, std::span<const i32> values);
std::vector<i32> parse_release(const Frame& frame, const std::string& peer);

}  // namespace sinter::serve
