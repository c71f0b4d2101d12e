"""Open a company: read its input file, map what it names onto the canonical tables, and check them.

Everything that is wrong is reported at once, as one `CompanyError`: the file, the table, the column, the first rows
and the remedy. ``input_file`` says what an input file may hold, ``mapping`` how it is applied.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from smarketing.company.checking import Checked, check_keys, check_source, keys_of
from smarketing.company.input_columns import Attributes
from smarketing.company.input_file import Inputs, TableSource, read_inputs
from smarketing.company.known import declared, together
from smarketing.company.mapping import Mapped, map_source
from smarketing.company.numbering import number_spells
from smarketing.company.reading import Progress, Reader, connect, embedded_engine, engine_errors
from smarketing.company.tables import SCHEMAS, Company, CompanyError, Known, ObservedFrom, Source, faults_of

__all__ = ["Inputs", "check_inputs", "open_company", "open_or_faults", "project_folder", "read_inputs"]


def open_company(inputs: Path, *, data: Path | None = None, progress: Progress | None = None) -> Company:
    """Open the company that an input file describes.

    Parameters
    ----------
    inputs
        The input file, usually ``params/inputs/<company>.yml``.
    data
        Folder of the files; beats the environment variable and the folder that the input file names.
    progress
        Called with a short message as each file is read.

    Returns
    -------
    Company
        Canonical tables with every column of their schema (NULL where it is not mapped), attributes after them.
        Parquet and warehouse tables stay where they are; CSV files are read once into an embedded DuckDB.
        ``sources`` has one entry for each file and table it fills, named below the data folder.

    Raises
    ------
    CompanyError
        With everything that is wrong.
    """
    company, faults = open_or_faults(Path(inputs), data, progress)
    if company is None:
        raise CompanyError(faults[0] if len(faults) == 1 else _all(Path(inputs).name, faults))
    return company


def check_inputs(inputs: Path, *, data: Path | None = None, progress: Progress | None = None) -> list[str]:
    """Return everything that is wrong with an input file and what it names; nothing where it can be opened."""
    company, faults = open_or_faults(Path(inputs), data, progress)
    if company is not None:
        company.backend.disconnect()
    return faults


def project_folder(inputs: Path) -> Path:
    """Return the folder that relative folders start from: the one that holds ``params/``, else the file's own."""
    place = Path(inputs).resolve().parent
    return next((folder.parent for folder in (place, *place.parents) if folder.name == "params"), place)


def _all(name: str, faults: list[str]) -> str:
    return "\n- ".join([f"{name}: {len(faults)} things are wrong:", *faults])


def _placed(path: Path, faults: list[str]) -> list[str]:
    """Begin every fault with the input file's name."""
    return [fault if fault.startswith(path.name) else f"{path.name}, {fault}" for fault in faults]


def open_or_faults(
    path: Path, data: Path | None = None, progress: Progress | None = None
) -> tuple[Company | None, list[str]]:
    """Return the company that `open_company` opens, or None and everything that is wrong."""
    try:
        inputs = read_inputs(path)
        folder = None if inputs.connection else _folder(inputs, path, data, progress)
        backend = connect(inputs.connection) if inputs.connection else embedded_engine()
    except CompanyError as error:
        return None, _placed(path, [str(error)])
    reader, faults = Reader(backend, folder, progress), list[str]()
    tables: dict[str, ir.Table] = {}
    recorded: dict[str, frozenset[str]] = {}
    sources: list[Source] = []
    notes: list[str] = []
    known: dict[str, dict[str, Known]] = {}
    for name, given in _given(inputs, folder).items():
        unfit: list[Mapped] = []
        checked = _sources(name, given, inputs, reader, faults, notes, unfit)
        if unfit and SCHEMAS[name].key:
            keys = [one.table.select(*SCHEMAS[name].key) for one in checked] + [keys_of(mapped) for mapped in unfit]
            files = ", ".join(dict.fromkeys(mapped.raw.name for mapped in [*(c.mapped for c in checked), *unfit]))
            try:
                faults += check_keys(name, _stack(keys), f"table `{name}`, {files}")
            except CompanyError as error:
                faults.append(str(error))
        if not checked or unfit:
            continue
        stacked = _stack([one.table for one in checked])
        after = tuple(stage for source in given for stage in source.spells_after)
        stacked = number_spells(stacked, after) if after else stacked
        text = any(one.mapped.raw.is_text for one in checked)
        try:
            with engine_errors(f"table `{name}` cannot be read"):
                tables[name] = backend.create_table(name, stacked) if text else stacked
            faults += check_keys(name, tables[name], f"table `{name}`, {_names(checked)}")
            known[name] = together(name, [declared(one.mapped) for one in checked])
        except CompanyError as error:
            faults.append(str(error))
        recorded[name] = frozenset({"spell"} if after else ()).union(*(one.recorded for one in checked))
        read = {file: None for one in checked for file in one.mapped.raw.files}
        sources += [Source(name, file.name, file.sha256, file.rows) for file in read]
        notes += [note for one in checked for note in one.notes]
    if not faults and not tables.keys() & {"leads", "opportunities"}:
        faults.append(f"neither `leads` nor `opportunities` is filled; mapped are {', '.join(tables) or 'no tables'}")
    if faults:
        backend.disconnect()
        return None, _placed(path, faults)
    reader.forget()
    observed = tuple(ObservedFrom(o.stages, o.start, o.treatment, o.because) for o in inputs.observed_from)
    unique = tuple(dict.fromkeys(notes))
    company = Company(inputs.name, backend, tables, recorded, inputs.currency, tuple(sources), observed, notes=unique)
    return replace(company, known={name: said for name, said in known.items() if said}), []


def _folder(inputs: Inputs, path: Path, data: Path | None, progress: Progress | None) -> Path:
    """Return the folder of the files; the demo company is built into its own on first use."""
    project = project_folder(path)
    if inputs.demo is not None:
        return _demo_folder(inputs, project, data, progress)
    said = inputs.data
    assert said is not None, "an input file names its data, a demo or a connection"
    from_variable = os.environ.get(said.env, "") if said.env else ""
    if data is not None:
        folder, why = Path(data), "named by `data`"
    elif from_variable:
        folder, why = Path(from_variable), f"from the environment variable {said.env}"
    elif said.folder:
        folder, why = project / said.folder, "from data.folder"
    else:
        variable = f"the environment variable {said.env}, " if said.env else ""
        raise CompanyError(
            f"where the files are is not set; set {variable}the parameter `data` (`check` takes it as --data), or "
            "`folder:` under `data:`"
        )
    if not folder.is_dir():
        raise CompanyError(f"there is no folder {folder} ({why}); correct the name, or put the files there")
    return folder


def _demo_folder(inputs: Inputs, project: Path, data: Path | None, progress: Progress | None) -> Path:
    from smarketing.company.demo import build_demo, is_built  # the simulation is loaded only where it is asked for

    demo = inputs.demo
    assert demo is not None
    folder = Path(data) if data is not None else project / demo.folder
    said: dict[str, Any] = {"leads": demo.leads, "seed": demo.seed}
    said |= {"as_of": demo.as_of} if demo.as_of else {}
    try:
        if not is_built(folder, **said):
            build_demo(folder, **said, progress=progress)
    except (ValueError, OSError) as error:
        raise CompanyError(f"the demo company cannot be built: {error}") from None
    return folder


def _given(inputs: Inputs, folder: Path | None) -> dict[str, tuple[TableSource, ...]]:
    """Return the sources of each table; of the demo company, those that the input file does not name as they are."""
    if inputs.demo is not None:
        return _canonical_files(folder) | inputs.tables
    return inputs.tables


def _canonical_files(folder: Path | None) -> dict[str, tuple[TableSource, ...]]:
    """Return the sources of a folder written in canonical form: one Parquet file a table, all columns kept."""
    assert folder is not None
    return {
        name: (TableSource(file=f"{name}.parquet", attributes=Attributes(all=True), optional=True),)
        for name in SCHEMAS
        if (folder / f"{name}.parquet").is_file()
    }


def _sources(
    name: str,
    given: tuple[TableSource, ...],
    inputs: Inputs,
    reader: Reader,
    faults: list[str],
    notes: list[str],
    unfit: list[Mapped],
) -> list[Checked]:
    """Map and check the sources of one table, adding to the faults, the notes and the sources that are unfit."""
    passed: list[Checked] = []
    for source in given:
        try:
            if source.optional and source.file and not reader.has(source.file):
                notes.append(f"{name}: there is no {source.file}")
                continue
            raw = reader.read(source)
            if not sum(file.rows for file in raw.files):
                if not source.optional:
                    faults.append(f"table `{name}`, {raw.name}: has a header but no rows")
                else:
                    notes.append(f"{name}: {raw.name} has no rows")
                continue
            with engine_errors(f"table `{name}`, {raw.name} cannot be mapped"):
                parts = map_source(name, source, inputs, reader)
            for mapped in parts:
                one, wrong = check_source(mapped)
                faults += wrong
                if one is None:
                    unfit.append(mapped)
                else:
                    passed.append(one)
        except CompanyError as error:
            faults += [text if text.startswith("table ") else f"table `{name}`: {text}" for text in faults_of(error)]
    if passed and not unfit and not any(one.rows for one in passed):
        if not all(source.optional for source in given):
            faults.append(f"table `{name}`, {_names(passed)}: no row is left after `where` and `drop_without`")
        notes += [note for one in passed for note in one.notes]
        return []
    return passed


def _names(checked: list[Checked]) -> str:
    return ", ".join(dict.fromkeys(one.mapped.raw.name for one in checked))


def _stack(parts: list[ir.Table]) -> ir.Table:
    """Stack the sources of a table; an attribute that one of them lacks is NULL there."""
    if len(parts) == 1:
        return parts[0]
    kinds: dict[str, Any] = {}
    for part in parts:
        for column, kind in part.schema().items():
            kinds[column] = kind if kinds.get(column, kind) == kind else ibis.dtype("string")
    aligned = [
        part.select(
            **{c: part[c].cast(kind) if c in part.columns else ibis.null(kind).name(c) for c, kind in kinds.items()}
        )
        for part in parts
    ]
    return ibis.union(aligned[0], *aligned[1:], distinct=False)
