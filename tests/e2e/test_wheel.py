import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SIX_LINES = """
import gateway, services
from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong_sandbox import Sandbox

with Sandbox() as vn:
    bank = vn.system("ekyc")
    mai = bank.login("nguyen-thi-mai")
    mai.consent("ekyc", ["identity.basic"])
    request = GetCitizenRequest(personal_number=mai.personal_number)
    answer = PopulationServiceStub(bank.channel).GetCitizen(request, metadata=mai.metadata("ekyc"))

import lienthong_sandbox
print(answer.citizen.name.full_name, gateway.OWN, services.OWN, lienthong_sandbox.__file__)
"""


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_works_in_a_project_that_has_its_own_services_and_gateway_packages(tmp_path: Path) -> None:
    wheels, project, environment = tmp_path / "wheels", tmp_path / "project", tmp_path / "venv"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
    build = ("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(REPOSITORY))
    run(*pip, *build, cwd=tmp_path)
    venv.create(environment, with_pip=False, symlinks=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (wheel,) = wheels.glob("lienthong-*.whl")
    run(*pip, "install", "--no-index", "--no-deps", "--target", str(site), str(wheel), cwd=tmp_path)
    # The dependencies come from this environment; a path file does not bring its editable install along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    for package in ("services", "gateway"):
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").write_text("OWN = True\n", encoding="utf-8")
    said = run(str(environment / "bin" / "python"), "-c", SIX_LINES, cwd=project)
    name, *rest = said.rsplit(maxsplit=3)
    assert name == "Nguyễn Thị Mai"
    assert rest[:2] == ["True", "True"]
    assert Path(rest[2]).is_relative_to(site)
