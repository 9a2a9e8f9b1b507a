"""Our WSDLs in Apache CXF: its wsdl2java makes a client of each, with documents as streams (MTOM)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from common import wsdl
from common.standard.transactions import BY_ACTION

pytestmark = [pytest.mark.system, pytest.mark.slow]

CXF = "4.0.5"
POM = """
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>test</artifactId><version>1</version><packaging>pom</packaging>
  <build><plugins><plugin>
    <groupId>org.apache.cxf</groupId><artifactId>cxf-codegen-plugin</artifactId><version>{cxf}</version>
    <executions><execution>
      <phase>generate-sources</phase><goals><goal>wsdl2java</goal></goals>
      <configuration>
        <wsdlRoot>{folder}</wsdlRoot><includes><include>*.wsdl</include></includes>
      </configuration>
    </execution></executions>
  </plugin></plugins></build>
</project>
"""
UNREACHABLE = re.compile(r"Could not (?:transfer|resolve|find)|could not be resolved|Unknown host|offline mode", re.I)
METHODS = {
    "DocumentRegistryPortType": (
        "documentRegistryRegistryStoredQuery",
        "documentRegistryRegisterDocumentSetB",
        "documentRegistryMultiPatientStoredQuery",
    ),
    "DocumentRepositoryPortType": (
        "documentRepositoryProvideAndRegisterDocumentSetB",
        "documentRepositoryRetrieveDocumentSet",
    ),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The generated Java, by class name."""
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("SKIPPED FOR WANT OF A TOOL: mvn is not installed, so Apache CXF was not asked")
    folder = tmp_path_factory.mktemp("cxf")
    (folder / "wsdl").mkdir()
    for name in wsdl.NAMES:
        shutil.copy(wsdl.local_path(name), folder / "wsdl")
    (folder / "pom.xml").write_text(POM.format(cxf=CXF, folder=folder / "wsdl"), encoding="utf-8")
    run = subprocess.run(
        [maven, "-q", "-B", "generate-sources"], cwd=folder, capture_output=True, text=True, timeout=580, check=False
    )
    if run.returncode and UNREACHABLE.search(run.stdout):
        pytest.skip(f"SKIPPED FOR WANT OF A NETWORK: Maven cannot get Apache CXF {CXF}")
    assert run.returncode == 0, run.stdout[-4000:]
    return {path.stem: path.read_text(encoding="utf-8") for path in Path(folder).rglob("*.java")}


@pytest.mark.parametrize("port", METHODS)
def test_every_operation_has_a_method(sources: dict[str, str], port: str) -> None:
    for method in METHODS[port]:
        assert re.search(rf"\b{method}\(", sources[port]), method


def test_every_action_is_known(sources: dict[str, str]) -> None:
    for port in METHODS:
        for operation in re.findall(r'@WebMethod\(operationName = "[^"]*", action = "([^"]+)"', sources[port]):
            assert f'input = "{operation}"' in sources[port]
            assert f'output = "{BY_ACTION[operation].answer_action}"' in sources[port]


def test_documents_are_streams(sources: dict[str, str]) -> None:
    for name in ("ProvideAndRegisterDocumentSetRequestType", "DocumentResponseType"):
        assert "DataHandler" in sources[name], name


def test_registry_objects_are_one_list(sources: dict[str, str]) -> None:
    assert "List<JAXBElement<? extends IdentifiableType>> identifiable" in sources["RegistryObjectListType"]
