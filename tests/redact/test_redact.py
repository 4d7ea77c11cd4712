"""Nothing that names a computer or a person is left of a redacted advice; figures and sources stay."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
import sample
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.data.advice import dump_advice
from advisor.data.embedded import load_any
from advisor.data.page_files import files_in
from advisor.redact import redact
from advisor.render import render_report
from advisor.render.html import render_html
from advisor.render.texts import load_texts
from advisor.schema import (
    Advice,
    DeviceLink,
    Fact,
    FrameworkDevice,
    Machine,
    MigInstance,
    Notice,
    Other,
    Skipped,
    Status,
)

UUID = "GPU-5f0a1c9e-7b1d-4c3e-9a55-0123456789ab"
MIG = "MIG-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
PLANTED = (
    "lab-node17.hpc.example.org", "lab-node17", "hpc.example.org", "j.doe", "1654922008123", UUID, MIG,
    "10.11.12.13", "fe80::1ff:fe23:4567:890a", "2001:db8::42", "b8:ce:f6:01:02:03",
    "/home/j.doe/secret project",
    "/scratch/llama", "nfs-7:/export/home", "C:\\Users\\J Doe", "0000:3b:00.0", "jane.doe@example.org",
    "b8ce:f603:0001:0203", "4f6d8a0b9c1e2d3f4a5b6c7d8e9f0a1b", "uid_48213", "//filer01/share",
)  # fmt: skip


def fact(value, source="synthetic", reason=""):
    return Fact(value=value, status=Status.ok, source=source, reason=reason)


def full_of_names() -> Advice:
    """The GPU machine with every planted name in its field and in texts of others."""
    advice = sample.gpu_machine()
    machine = advice.machine
    device = machine.devices[0].model_copy(
        update={
            "uuid": fact(UUID),
            "serial": fact("1654922008123").model_copy(
                update={"others": (Other(value="1654922008124", source="nvidia-smi on lab-node17"),)}
            ),
            "pci_address": fact("0000:3b:00.0"),
            "mig_instances": (MigInstance(uuid=fact(MIG), name=fact("1g.10gb")),),
            "virtual": Fact(
                status=Status.failed, source="nvml", reason=f"{UUID}: serial 1654922008123 of 0000:3b:00.0"
            ),
        }
    )
    torch = machine.software.frameworks[0].model_copy(
        update={"sees": fact((FrameworkDevice(name="cuda:0", uuid=UUID, pci_address="0000:3b:00.0"),))}
    )
    machine = machine.model_copy(
        update={
            "host": machine.host.model_copy(
                update={
                    "hostname": fact("lab-node17.hpc.example.org"),
                    "user": fact("j.doe"),
                    "cgroup": fact("v2", "/sys/fs/cgroup/slurm/uid_48213/4f6d8a0b9c1e2d3f4a5b6c7d8e9f0a1b"),
                }
            ),
            "devices": (device,),
            "device_links": (DeviceLink(a=UUID, b="0000:3b:00.0", kind="nvlink"),),
            "software": machine.software.model_copy(
                update={
                    "python": fact("/home/j.doe/secret project/env/bin/python"),
                    "frameworks": (torch,),
                    "packages": fact({"nvidia-cublas": "12.8.4.1"}),
                }
            ),
            "storage": machine.storage.model_copy(
                update={
                    "path": fact("/scratch/llama"),
                    "mount_point": fact("/scratch"),
                    "device": fact("nfs-7:/export/home"),
                }
            ),
            "skipped": (
                Skipped(
                    probe="network",
                    status=Status.failed,
                    reason="10.11.12.13, fe80::1ff:fe23:4567:890a%eth0, [2001:db8::42]: no route from "
                    "LAB-NODE17 (b8:ce:f6:01:02:03, GUID b8ce:f603:0001:0203) at 16:52:09 to //filer01/share",
                    hint="ask jane.doe@example.org, see file:///home/j.doe/notes or C:\\Users\\J Doe",
                ),
            ),
        }
    )
    notice = Notice(
        code="x", message="Written by j.doe to '/scratch/llama/run 1/out.log', see /proc/meminfo."
    )
    return advice.model_copy(update={"machine": machine, "notices": (notice,)})


def test_nothing_planted_is_left_in_the_data():
    before, after = (dump_advice(each) for each in (full_of_names(), redact(full_of_names())))
    for name in PLANTED:
        spelt = name.replace("\\", "\\\\")
        assert spelt.casefold() in before.casefold(), name  # it was there
        assert spelt.casefold() not in after.casefold(), name
    assert not re.search(r"\bdoe\b|secret", after, re.IGNORECASE)


@pytest.mark.parametrize("paged", [False, True])
def test_nothing_planted_is_left_in_the_page(paged):
    page = render_html(redact(full_of_names()), load_texts("en"), {}, paged=paged)
    for name in PLANTED:
        assert name.casefold() not in page.casefold(), name


def test_nothing_planted_is_left_in_what_a_page_carries(tmp_path):
    """The data is packed in the page, so a look at its text would not find it."""
    advice = full_of_names().model_copy(update={"estimates": (), "trace": {}, "workloads": ()})
    for name, told in (("named", advice), ("redacted", redact(advice))):
        (tmp_path / name).mkdir()
        render_report(told, tmp_path / name, formats=("html",))
    before, after = (
        files_in((tmp_path / name / "report.html").read_text(encoding="utf-8"))["advice.json"].decode()
        for name in ("named", "redacted")
    )
    for name in PLANTED:
        spelt = name.replace("\\", "\\\\")
        assert spelt.casefold() in before.casefold(), name
        assert spelt.casefold() not in after.casefold(), name
    assert load_any(tmp_path / "redacted" / "report.html") == redact(advice)


def test_what_belongs_together_still_does():
    machine = redact(full_of_names()).machine
    device, link = machine.devices[0], machine.device_links[0]
    seen = machine.software.frameworks[0].sees.value[0]
    assert device.uuid.value == link.a == seen.uuid == "[uuid 1]"
    assert device.pci_address.value == link.b == seen.pci_address == "[pci 1]"
    assert device.mig_instances[0].uuid.value not in ("[uuid 1]", MIG)
    assert device.serial.value != device.serial.others[0].value


def test_figures_versions_and_sources_stay():
    before, after = full_of_names(), redact(full_of_names())
    assert after.estimates == before.estimates and after.trace == before.trace
    assert after.accelerators == before.accelerators and after.workloads == before.workloads
    assert after.machine.software.packages.value == {"nvidia-cublas": "12.8.4.1"}
    assert after.machine.memory.total_bytes == before.machine.memory.total_bytes
    assert "see /proc/meminfo." in after.notices[0].message
    assert "at 16:52:09 to" in after.machine.skipped[0].reason


def test_it_says_so_once_and_is_the_same_each_time():
    once = redact(full_of_names())
    assert [notice.code for notice in once.notices] == ["x", "redacted"]
    assert redact(once) is once
    assert dump_advice(redact(full_of_names())) == dump_advice(once)


@pytest.mark.parametrize("name", ["cpu", "vm", "root", "torch", "rule"])
def test_a_name_that_is_a_plain_word_spoils_nothing(name):
    advice = full_of_names()
    host = advice.machine.host.model_copy(update={"hostname": fact(name), "user": fact(name)})
    advice = advice.model_copy(update={"machine": advice.machine.model_copy(update={"host": host})})
    after = redact(advice)
    assert after.machine.host.hostname.value == "[host]" and after.machine.host.user.value == "[user]"
    assert after.machine.software.frameworks[0].name == "torch"
    assert after.calibration.devices.keys() == advice.calibration.devices.keys()


@pytest.mark.parametrize(
    "text",
    [
        "989 TFLOP/s", "bytes/s and tokens/s", "github:org/repo@0fdc28f0 systems/*.json", "and/or",
        "https://verda.com/products", "torch 2.13.0+cu130", "1.2.3", "12:30:45",
        "own/8 x h100 (8 devices)/time_s",
        "/sys/bus/pci/devices", "CUDA 13.0 / driver 580.95.05", "std::bad_alloc", "1/2", "a :: b",
    ],
)  # fmt: skip
def test_plain_texts_stay(text):
    advice = Advice(notices=(Notice(code="x", message=text),))
    assert redact(advice).notices[0].message == text


def test_an_advice_without_a_machine():
    assert redact(Advice()).machine is None


def test_no_field_of_the_machine_is_forgotten():
    """Every field named after an identifier is one that redaction knows, or harmless."""
    from advisor.schema import machine

    source = Path(machine.__file__).read_text(encoding="utf-8")
    fields = set(
        re.findall(r"^    (\w*(?:uuid|serial|address|path|host|user|python)\w*):", source, re.MULTILINE)
    )
    known = {
        "hostname",
        "user",
        "uuid",
        "serial",
        "pci_address",
        "remote_pci_address",
        "address",
        "path",
        "python",
    }
    harmless = {"host", "python_version"}  # a table of facts, and a version
    assert fields == known | harmless


def test_what_is_saved_while_a_scan_grows_is_without_names(tmp_path):
    from advisor.app import new_folder
    from advisor.data.advice import Keeper

    folder = new_folder(tmp_path, None)
    assert folder.name.endswith("-machine")
    keeper = Keeper(folder / "advice.json", print, redact)
    for save in (keeper.snapshot, keeper.finish):
        save(full_of_names())
        text = keeper.path.read_text(encoding="utf-8")
        assert "[host]" in text and not [name for name in PLANTED if name.casefold() in text.casefold()]


NAME = st.from_regex(r"[a-z]{4,8}[0-9]{2,3}", fullmatch=True)
AROUND = st.sampled_from(["", " ", "'", "(", "@", "/", ": ", "=", "-", ".", ",", "\n", "[", "<"])


@settings(max_examples=60, deadline=None)
@given(NAME, NAME, AROUND, AROUND, st.sampled_from(["hostname", "user"]))
def test_any_name_that_a_field_gives_is_found_wherever_it_stands(name, other, before, after, field):
    host = full_of_names().machine.host.model_copy(update={field: fact(name)})
    text = f"{other} says {before}{name.upper()}{after} and {before}{name}{after}{other}"
    machine = Machine(probed_at=sample.WHEN, host=host)
    told = dump_advice(redact(Advice(machine=machine, notices=(Notice(code="x", message=text),))))
    # glued to another word it is another name, unless a sign stands between
    glued = after == "" and other[:1].isalnum()
    assert name.casefold() not in told.casefold() or glued or name in other
