#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the adversarial set: small ONNX models, one legality condition each, made with ONNX's own
Python package so that nothing of sinter has a hand in them.

    make.py CASES FOLDER      writes FOLDER/<name>.onnx and FOLDER/cases.json

A case in the file CASES:

    == name | condition | ok or no | optimum | opset=13 ir=7
    in x f[2,3,8,8]
    c = Conv(x, ~[4,3,3,3]) ; pads=[1,1,1,1]
    y = BatchNormalization(c, +[4], ~[4], ~[4], +[4])
    out y

"ok": the condition holds and the optimum is reachable; "no": it is violated, and the optimum is what
an optimizer may reach without being wrong. The optimum counts nodes, Constant excluded, bodies
included; "-" when none is claimed. Operands are names, "_" for an absent input, or constants:
~[2,3] normal, +[2] uniform in [0.5, 1.5), =0.5 a scalar, =0.5[1,3] a filled tensor, {1,-2} a vector,
{7}s a scalar of integers; a type in front (f d h i i32 u8 i8 b s) where it is not f, or i in
braces. `const W = ...` names one, `node W = ...` makes it a Constant node, `default W = ...` an
initializer that is also an input. `body B {` ... `}` is a graph, given as attribute value @B.
`out y f[2,3]` gives the type of an output where inference cannot.
"""
import json
import pathlib
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {'f': np.float32, 'd': np.float64, 'h': np.float16, 'i': np.int64, 'i32': np.int32,
         'u8': np.uint8, 'i8': np.int8, 'b': np.bool_, 's': np.object_}
PROTO = {'f': TensorProto.FLOAT, 'd': TensorProto.DOUBLE, 'h': TensorProto.FLOAT16,
         'i': TensorProto.INT64, 'i32': TensorProto.INT32, 'u8': TensorProto.UINT8,
         'i8': TensorProto.INT8, 'b': TensorProto.BOOL, 's': TensorProto.STRING}
CONSTANT = re.compile(r'(i32|u8|i8|[fdhibs])?(?:([~+])|=([-\w.+]+))(\[[\d,]*\])?$')
LIST = re.compile(r'(i32|u8|i8|[fdhibs])?\{(.*)\}(s|\[[\d,]*\])?$')


def dims(text):
    return [int(d) if d.lstrip('-').isdigit() else (None if d == '?' else d)
            for d in text.strip('[]').split(',') if d]


def constant(text, rng):
    """The array that `text` stands for, or None when it is a name."""
    if match := LIST.match(text):
        kind, items, shape = match.groups()
        kind = kind or 'i'
        values = [eval(v, {'inf': np.inf, 'nan': np.nan}) for v in items.split(',') if v]
        array = np.array(values, TYPES[kind])
        if shape == 's':
            return array.reshape(())
        return array.reshape(dims(shape)) if shape else array
    match = CONSTANT.match(text)
    if not match:
        return None
    kind, draw, fill, shape = match.groups()
    size = dims(shape or '')
    if draw == '~':
        return rng.standard_normal(size).astype(TYPES[kind or 'f'])
    if draw == '+':
        return rng.uniform(0.5, 1.5, size).astype(TYPES[kind or 'f'])
    return np.full(size, float(fill), TYPES[kind or 'f'])


def split_operands(text):
    """Commas outside brackets and quotes."""
    parts, depth, part = [], 0, ''
    for c in text:
        depth += (c in '[{(') - (c in ']})')
        if c == ',' and depth == 0:
            parts.append(part.strip())
            part = ''
        else:
            part += c
    return parts + [part.strip()] if part.strip() else parts


class Builder:
    """One graph from its lines; bodies are built by builders of their own."""

    def __init__(self, rng, opset, names):
        self.rng, self.opset, self.names = rng, opset, names
        self.nodes, self.inputs, self.outputs, self.initializers, self.bodies = [], [], [], [], {}

    def build(self, lines, name):
        while lines:
            line = lines.pop(0).strip()
            if line == '}':
                break
            self.statement(line, lines)
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.initializers)

    def value(self, name, type_text):
        kind, shape = re.match(r'(i32|u8|i8|[fdhibs])(\[.*\])?$', type_text).groups()
        return helper.make_tensor_value_info(name, PROTO[kind],
                                             dims(shape) if shape is not None else None)

    def statement(self, line, lines):
        word, _, rest = line.partition(' ')
        if word == 'in':
            name, type_text = rest.split()
            self.inputs.append(self.value(name, type_text))
        elif word == 'out':
            name, *type_text = rest.split()
            self.outputs.append(self.value(name, type_text[0]) if type_text
                                else helper.make_empty_tensor_value_info(name))
        elif word == 'body':
            name = rest.split()[0]
            self.bodies[name] = Builder(self.rng, self.opset, self.names).build(lines, name)
        elif word in ('const', 'node', 'default'):
            name, text = (p.strip() for p in rest.split('=', 1))
            self.define(word, name, constant(text, self.rng))
        else:
            self.node(line)

    def define(self, word, name, array):
        tensor = numpy_helper.from_array(array, name)
        if word == 'node':
            self.nodes.append(helper.make_node('Constant', [], [name], value=tensor))
            return
        self.initializers.append(tensor)
        if word == 'default':
            self.inputs.append(helper.make_tensor_value_info(name, tensor.data_type, array.shape))

    def operand(self, text):
        if text == '_':
            return ''
        array = constant(text, self.rng)
        if array is None:
            return text
        self.names[0] += 1
        name = f'k{self.names[0]}'
        self.define('const', name, array)
        return name

    def node(self, line):
        match = re.match(r'(.*?) = (?:([\w.]+)::)?(\w+)\((.*?)\)\s*(?:;\s*(.*))?$', line)
        if not match:
            raise ValueError(f'not a statement: {line}')
        results, domain, op, operands, attributes = match.groups()
        kept = {k: v for k, v in eval(f'dict({self.quoted(attributes or "")})',
                                      {'T': self.tensor}).items()}
        for key, value in kept.items():
            if isinstance(value, str) and value.startswith('@'):
                kept[key] = self.bodies[value[1:]]
        self.nodes.append(helper.make_node(op, [self.operand(o) for o in split_operands(operands)],
                                           [r.strip() for r in results.replace('_,', ',').split(',')],
                                           domain=domain or '', **kept))

    @staticmethod
    def quoted(attributes):
        return re.sub(r'=@(\w+)', r'="@\1"', attributes)

    def tensor(self, text):
        return numpy_helper.from_array(constant(text, self.rng), '')


def option(options, key, fallback):
    match = re.search(rf'{key}=(\d+)', options)
    return int(match.group(1)) if match else fallback


def build(header, lines, seed):
    name, condition, kind, optimum, *options = (p.strip() for p in header.split('|'))
    options = options[0] if options else ''
    opset, ir = option(options, 'opset', 17), option(options, 'ir', 8)
    graph = Builder(np.random.default_rng(seed), opset, [0]).build(list(lines), name)
    domains = {n.domain for n in graph.node if n.domain} | set(re.findall(r'domain=([\w.]+)', options))
    imports = [helper.make_opsetid('', opset)] + [helper.make_opsetid(d, 1) for d in sorted(domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir)
    for output in model.graph.output:
        if not output.type.HasField('tensor_type') and not output.type.HasField('sequence_type'):
            infer_output(model, output)
    return model, {'name': name, 'condition': condition, 'kind': kind, 'random': 'random' in options,
                   'ort': 'noort' not in options,
                   'optimum': None if optimum == '-' else int(optimum)}


def infer_output(model, output):
    """The element type of an output that the case does not give; its shape stays open."""
    inferred = onnx.shape_inference.infer_shapes(model)
    for value in list(inferred.graph.output) + list(inferred.graph.value_info):
        if value.name == output.name and value.type.tensor_type.elem_type:
            output.type.tensor_type.elem_type = value.type.tensor_type.elem_type
            return
    output.type.tensor_type.elem_type = TensorProto.FLOAT


def main(cases, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    records, header, lines = [], None, []

    def flush():
        if header is None:
            return
        try:
            model, record = build(header, lines, len(records))
        except Exception as error:
            raise SystemExit(f'{header}: {error}')
        if record['name'] in {r['name'] for r in records}:
            raise SystemExit(f'{record["name"]}: named twice')
        onnx.save(model, str(folder / f'{record["name"]}.onnx'))
        records.append(record)

    for line in pathlib.Path(cases).read_text().splitlines():
        line = line.split('#', 1)[0].rstrip()
        if line.startswith('=='):
            flush()
            header, lines = line[2:], []
        elif line.strip():
            lines.append(line.strip())
    flush()
    (folder / 'cases.json').write_text(json.dumps(records, indent=1))
    print(f'{len(records)} models in {folder}')


if __name__ == '__main__':
    main(*sys.argv[1:3])
